import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { LedgerError } from '../ledger/errors.js'
import { type CostAnswer, type CostTask, workOut } from './cost-worker.js'

/** From this effort on, in microseconds, a task is long: a training step over the whole catalogue of orders is not. */
const LONG_EFFORT = 10_000
/** So many short tasks may overtake a long one that waits. */
const MOST_OVERTAKING = 4

/**
 * Works out tasks on worker threads, one at a time on each.
 *
 * Short tasks go before long ones, yet no more than a few overtake a waiting one; with several threads one of them takes
 * short tasks only. So neither a thousand long tasks nor a thousand short ones hold up the other kind.
 *
 * Where the compiled worker is not to be found (the sources run as they are, nothing was built), tasks are worked out in
 * place, one a turn of the event loop.
 */
export class CostPool {
  readonly #short: Job[] = []
  readonly #long: Job[] = []
  readonly #threads: Thread[] = []
  #overtaken = 0
  #closed = false

  constructor(
    private readonly options: { readonly threads: number; readonly waiting: number },
    /** The compiled worker, or null to work in place. */
    private readonly script: URL | null = compiledWorker(),
  ) {}

  /** @throws LedgerError BUSY where too many tasks wait, SHUTTING_DOWN after `close`. */
  run(task: CostTask, effort: number): Promise<CostAnswer> {
    if (this.#closed) return Promise.reject(shuttingDown())
    const waiting = this.#short.length + this.#long.length
    if (waiting >= this.options.waiting) return Promise.reject(busy(waiting))
    return new Promise((resolve, reject) => {
      const isLong = effort >= LONG_EFFORT
      const queue = isLong ? this.#long : this.#short
      queue.push({ task, isLong, resolve, reject })
      this.#dispatch()
    })
  }

  /** Ends the threads; what still waits is refused. */
  async close(): Promise<void> {
    this.#closed = true
    for (const job of [...this.#short.splice(0), ...this.#long.splice(0)]) job.reject(shuttingDown())
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end(shuttingDown())))
  }

  #dispatch(): void {
    for (;;) {
      const thread = this.#idleThread()
      const job = thread === undefined ? undefined : this.#next()
      if (thread === undefined || job === undefined) return
      thread.start(job)
    }
  }

  /** A thread without a task; a new one as long as there may be more. */
  #idleThread(): Thread | undefined {
    const idle = this.#threads.find(({ job }) => job === undefined)
    if (idle !== undefined || this.#threads.length >= this.options.threads) return idle
    if (this.#short.length + this.#long.length === 0) return undefined
    const done = (thread: Thread, alive: boolean) => {
      if (!alive && this.#threads.includes(thread)) this.#threads.splice(this.#threads.indexOf(thread), 1)
      if (!this.#closed) this.#dispatch()
    }
    const thread = this.script === null ? new InPlace(done) : new WorkerThread(this.script, done)
    this.#threads.push(thread)
    return thread
  }

  #next(): Job | undefined {
    const busyWithLong = this.#threads.filter(({ job }) => job?.isLong === true).length
    const roomForLong = busyWithLong < this.options.threads - 1 || this.options.threads === 1
    const longWaits = this.#long.length > 0 && roomForLong
    const takesLong = longWaits && (this.#short.length === 0 || this.#overtaken >= MOST_OVERTAKING)
    this.#overtaken = longWaits && !takesLong ? this.#overtaken + 1 : 0
    return takesLong ? this.#long.shift() : this.#short.shift()
  }
}

interface Job {
  readonly task: CostTask
  readonly isLong: boolean
  readonly resolve: (answer: CostAnswer) => void
  readonly reject: (error: Error) => void
}

/** Told when a thread has finished its job, and whether it can take another. */
type Done = (thread: Thread, alive: boolean) => void

interface Thread {
  readonly job: Job | undefined
  start(job: Job): void
  end(reason: Error): Promise<void>
}

class WorkerThread implements Thread {
  readonly #worker: Worker
  job: Job | undefined

  constructor(
    script: URL,
    private readonly done: Done,
  ) {
    this.#worker = new Worker(script)
    this.#worker.unref()
    this.#worker.on('message', (answer: CostAnswer) => this.#finish((job) => job.resolve(answer), true))
    this.#worker.on('error', (cause) => this.#finish((job) => job.reject(failed(cause)), false))
    this.#worker.on('exit', (code) => this.#finish((job) => job.reject(failed(`exit code ${code}`)), false))
  }

  start(job: Job): void {
    this.job = job
    // Only a thread with a task keeps the process alive.
    this.#worker.ref()
    this.#worker.postMessage(job.task)
  }

  async end(reason: Error): Promise<void> {
    this.job?.reject(reason)
    this.job = undefined
    await this.#worker.terminate()
  }

  #finish(settle: (job: Job) => void, alive: boolean): void {
    const { job } = this
    this.job = undefined
    this.#worker.unref()
    if (job !== undefined) settle(job)
    this.done(this, alive)
  }
}

class InPlace implements Thread {
  job: Job | undefined

  constructor(private readonly done: Done) {}

  start(job: Job): void {
    this.job = job
    setImmediate(() => {
      if (this.job !== job) return
      this.job = undefined
      try {
        job.resolve(workOut(job.task))
      } catch (cause) {
        job.reject(failed(cause))
      }
      this.done(this, true)
    })
  }

  async end(reason: Error): Promise<void> {
    this.job?.reject(reason)
    this.job = undefined
  }
}

/** The worker beside this file once compiled; where this is a source file, the one that was built from it. */
export function compiledWorker(): URL | null {
  const compiled = import.meta.url.endsWith('.ts') ? '../../dist/adapters/cost-worker.js' : './cost-worker.js'
  const script = new URL(compiled, import.meta.url)
  return existsSync(fileURLToPath(script)) ? script : null
}

const busy = (waiting: number): LedgerError =>
  new LedgerError('BUSY', `${waiting} costs wait to be worked out, which is as many as may wait`, {
    retry: 'now',
    hint: 'try again in a moment; EPSILON_COST_THREADS adds threads',
  })

const shuttingDown = (): LedgerError =>
  new LedgerError('SHUTTING_DOWN', 'the service stops, so no cost is worked out any more', { retry: 'after-restart' })

const failed = (cause: unknown): LedgerError =>
  new LedgerError('COST_WORKER_FAILED', `a thread that works out costs failed: ${String(cause)}`, {
    retry: 'now',
    hint: 'the next request gets a new thread',
    cause,
  })
