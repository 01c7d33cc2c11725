import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { StepFailed } from './story.js'

/** The program that everybody runs: the demo plays through its front door. */
export const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url))

const PATIENCE_MS = 40_000
const PAUSE_MS = 25

/** A served ledger in a process of its own, on a free port of the loopback interface. */
export class Service {
  private constructor(
    private readonly process: ChildProcess,
    readonly url: string,
  ) {}

  /** Serves the data directory and waits until it is ready. What the process says goes to the file `log`. */
  static async start(data: string, log: string): Promise<Service> {
    const output = openSync(log, 'a')
    const from = readFileSync(log, 'utf8').length
    const child = spawn(process.execPath, [PROGRAM, 'serve', '--data', data, '--port', '0'], {
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    started.add(child)
    const url = await answering(child, () => readFileSync(log, 'utf8').slice(from))
    return new Service(child, url)
  }

  /** Ends the process at once, as `kill -9` does: nothing of it runs any more. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Lets it finish what is under way. */
  async stop(): Promise<void> {
    const code = await this.#end('SIGTERM')
    if (code !== 0) throw new StepFailed(`the service was asked to stop and exited ${code}, not 0`)
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = once(this.process, 'exit')
    if (!this.process.kill(signal)) throw new StepFailed(`the service had ended already: exit ${this.process.exitCode}`)
    await ended
    started.delete(this.process)
    return this.process.exitCode
  }
}

const started = new Set<ChildProcess>()

/** Leaves no process behind, however the demo ends. */
export const killAll = (): void => {
  for (const child of started) child.kill('SIGKILL')
}

/** The address that the service says it listens on, once it says that it is ready. */
const answering = async (child: ChildProcess, said: () => string): Promise<string> => {
  const end = Date.now() + PATIENCE_MS
  while (Date.now() < end && child.exitCode === null && child.signalCode === null) {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said())?.[0]
    if (url !== undefined && (await isReady(url))) return url
    await sleep(PAUSE_MS)
  }
  child.kill('SIGKILL')
  started.delete(child)
  throw new StepFailed(`the service did not become ready (exit code ${child.exitCode}); it said:\n${said()}`)
}

const isReady = async (url: string): Promise<boolean> => {
  try {
    const { status } = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    return status === 200
  } catch {
    return false
  }
}
