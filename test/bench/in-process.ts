import { fork } from 'node:child_process'

/** Runs a file of this folder in a process of its own, with one argument, and gives back what it sends. */
export const inProcess = <Result>(file: string, job: unknown): Promise<Result> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL(file, import.meta.url), [JSON.stringify(job)], {
      serialization: 'advanced',
    })
    let result: Result | undefined
    child.on('message', (message) => (result = message as Result))
    child.on('error', reject)
    child.on('close', (code) =>
      result === undefined ? reject(new Error(`${file} ended with ${code}`)) : resolve(result),
    )
  })
