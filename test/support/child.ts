import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const hooks = fileURLToPath(new URL('typescript-hooks.mjs', import.meta.url))

export interface Child {
  /** The next line that it prints; undefined once it has ended. */
  line(): Promise<string | undefined>
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Runs a TypeScript program of the tests in a process of its own, which ends with the test. `limit` is a shell's `ulimit`. */
export const startChild = (program: URL, args: readonly string[], limit = 'true'): Child => {
  const command = [process.execPath, '--import', hooks, fileURLToPath(program), ...args]
  const child = spawn('/bin/sh', ['-c', `${limit}; exec "$@"`, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TYPESCRIPT_HOOKS: undefined },
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  onTestFinished(() => stop(child, ended, 'SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    line: async () => (await lines.next()).value,
    kill: (signal) => stop(child, ended, signal),
  }
}

const stop = async (child: ChildProcess, ended: Promise<void>, signal: NodeJS.Signals): Promise<void> => {
  child.kill(signal)
  await ended
}
