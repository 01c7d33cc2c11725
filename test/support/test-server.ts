import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Watchdog } from './watchdog.js'

/** The account under which a server runs, where it is not that of the tests. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** How a server is started, and started again. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly account?: Account | undefined
  /** The signal on which it ends in order, though clients are connected. */
  readonly endsOn: NodeJS.Signals
}

const READY_WITHIN_MS = 300_000
const ENDS_WITHIN_MS = 180_000

/**
 * A real server on loopback. Its folder holds data, settings and log through all restarts, and goes with `stop`, or with the
 * tests' process however that ends.
 */
export abstract class TestServer {
  /** Those that are not stopped, so that a failed test can show what they said. */
  static readonly all = new Set<TestServer>()

  private readonly watchdog: Watchdog
  private running: { readonly child: ChildProcess; readonly exited: Promise<void> } | undefined
  /** The signal or exit code with which its last process ended, or why it could not be started. */
  private lastEnd = 'not started'

  protected constructor(
    /** What messages call it. */
    readonly name: string,
    /** A temporary folder of its own. */
    readonly folder: string,
    private readonly howToLaunch: Launch,
  ) {
    this.watchdog = new Watchdog(folder)
    TestServer.all.add(this)
  }

  /** Whether it serves by now. */
  protected abstract answers(): Promise<boolean>

  /** The process of the server; an error while it is down. */
  get pid(): number {
    if (this.running === undefined) throw new Error(`${this.name} is down (${this.lastEnd})`)
    return this.running.child.pid as number
  }

  /** Ends it at once, with all its processes, as an out-of-memory kill would. Does nothing where it is down. */
  async kill9(): Promise<void> {
    if (this.running === undefined) return
    const { exited } = this.running
    const helpers = this.signal('SIGKILL')
    await exited
    // A process that is still ending may hold the data of the server that is started next.
    while (helpers.some(isAlive)) await sleep(5)
  }

  /** Ends it in order. Does nothing where it is down. */
  async term(): Promise<void> {
    if (this.running === undefined) return
    const { exited } = this.running
    this.thaw()
    process.kill(this.pid, this.howToLaunch.endsOn)
    const late = AbortSignal.timeout(ENDS_WITHIN_MS)
    await Promise.race([exited, rejection(late, `${this.name} did not end within ${ENDS_WITHIN_MS} ms`)])
  }

  /** Starts it again on the same ports and data, after `term` where it still runs. Resolves when it serves. */
  async restart(): Promise<void> {
    await this.term()
    await this.launch()
  }

  /** Stops all its processes where they are (SIGSTOP): connections stay open, nothing is answered. */
  freeze(): void {
    this.signal('SIGSTOP')
  }

  /** Lets a frozen server go on. */
  thaw(): void {
    this.signal('SIGCONT')
  }

  /** Kills it and deletes its folder. */
  async stop(): Promise<void> {
    TestServer.all.delete(this)
    await this.kill9()
    await this.watchdog.dismiss()
  }

  /** The last lines that it wrote, over all restarts. */
  logTail(lines = 60): string {
    const log = existsSync(this.log) ? readFileSync(this.log, 'utf8') : ''
    return log.trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** Starts the process and waits until it answers. */
  protected async launch(): Promise<void> {
    const { command, args, account } = this.howToLaunch
    const log = openSync(this.log, 'a')
    const child = spawn(command, args, { ...account, cwd: this.folder, stdio: ['ignore', log, log] })
    closeSync(log)
    const exited = new Promise<string>((resolve) => {
      child.once('error', ({ message }) => resolve(message))
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
    this.running = { child, exited: exited.then((how) => this.ended(how)) }
    this.watchdog.watch(child.pid)
    await this.ready()
  }

  private ended(how: string): void {
    this.running = undefined
    this.lastEnd = how
    this.watchdog.watch(undefined)
  }

  private async ready(): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS
    for (;;) {
      const isThere = await this.answers()
      // Asked afterwards: another program may answer on a port that this one found taken.
      if (this.running === undefined)
        throw new Error(`${this.name} did not start to serve (${this.lastEnd}):\n${this.logTail()}`)
      if (isThere) return
      if (performance.now() > deadline)
        throw new Error(`${this.name} did not serve within ${READY_WITHIN_MS} ms:\n${this.logTail()}`)
      await sleep(25)
    }
  }

  /** Sends the signal to all its processes, and says which ones it has beside the first. */
  private signal(signal: NodeJS.Signals): readonly number[] {
    const { pid } = this
    // While the first process stands, it makes no new ones.
    process.kill(pid, 'SIGSTOP')
    const helpers = childrenOf(pid)
    for (const one of [...helpers, pid]) send(one, signal)
    return helpers
  }

  private get log(): string {
    return join(this.folder, 'server.log')
  }
}

/** The processes that a process has started. Only Linux says; elsewhere only the first process gets signals. */
export const childrenOf = (pid: number): readonly number[] => {
  const list = `/proc/${pid}/task/${pid}/children`
  return existsSync(list) ? readFileSync(list, 'utf8').split(' ').filter(Boolean).map(Number) : []
}

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended a moment ago.
  }
}

/** Whether the process runs, which one that has ended and that nobody has collected does not. */
export const isAlive = (pid: number): boolean => {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const rejection = (signal: AbortSignal, message: string): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error(message)), { once: true }))
