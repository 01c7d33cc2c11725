import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from './client.js'

/** The built program; tests start it as its users do. `EPSILON_PROGRAM` names another build. */
export const PROGRAM = process.env['EPSILON_PROGRAM'] ?? join(process.cwd(), 'dist/cli/main.js')

export interface ServiceOptions {
  /** The data directory; a new temporary one where nothing is said. */
  readonly data?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Arguments of node itself, such as `--cpu-prof`. */
  readonly nodeArguments?: readonly string[]
  /** A command that runs another one in its own place, such as `strace -D`. */
  readonly launcher?: readonly string[]
  readonly readyWithinMs?: number
  /** False: it is enough that the process answers. */
  readonly untilReady?: boolean
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A served process with its data directory. Whoever starts one ends it: `kill`, `stop`, or `remove`. */
export class Service {
  readonly exited: Promise<Exit>
  private readonly clients: Client[] = []

  private constructor(
    readonly data: string,
    readonly url: string,
    /** Milliseconds from the start of the process to its first answer that it is ready. */
    readonly readyAfterMs: number,
    private readonly running: Running,
    private readonly options: ServiceOptions,
  ) {
    this.exited = running.exited
  }

  /** Resolves when the service says that it is ready. */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const data = options.data ?? (await temporaryData())
    const startedAt = performance.now()
    const running = launch(data, options)
    const path = options.untilReady === false ? '/health/live' : '/health/ready'
    const url = await ready(running, path, options.readyWithinMs ?? 180_000)
    return new Service(data, url, performance.now() - startedAt, running, options)
  }

  get pid(): number {
    return this.running.child.pid as number
  }

  /** Everything that the process has written to stdout and stderr. */
  get output(): string {
    return this.running.output()
  }

  /** A client with the token of that file of the data directory. */
  async as(role: 'operator' | 'approver'): Promise<Client> {
    return this.client((await readFile(join(this.data, `${role}.token`), 'utf8')).trim())
  }

  client(token: string | undefined, connections?: number): Client {
    const client = new Client(this.url, token, connections)
    this.clients.push(client)
    return client
  }

  /** The text of a new token. */
  async createToken(role: 'emitter' | 'auditor', source: string): Promise<string> {
    const reply = await (await this.as('operator')).post<{ token: string }>('/v1/tokens', { role, source })
    if (reply.status !== 201) throw new Error(`no token: ${reply.status} ${reply.text}`)
    return reply.body.token
  }

  /** Ends the process as a power switch would, without a chance to put anything in order. */
  kill(): Promise<Exit> {
    return this.end('SIGKILL')
  }

  stop(): Promise<Exit> {
    return this.end('SIGTERM')
  }

  /** The same again, on the same data; `changes` go before the first options. */
  restart(changes: Partial<ServiceOptions> = {}): Promise<Service> {
    return Service.start({ ...this.options, data: this.data, ...changes })
  }

  /** Kills the process and deletes its data. */
  async remove(): Promise<void> {
    await this.kill()
    await rm(this.data, { recursive: true, force: true })
  }

  private end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Exit> {
    for (const client of this.clients.splice(0)) client.close()
    this.running.child.kill(signal)
    return this.exited
  }
}

/** Starts the service and kills it `afterMs` later, ready or not. */
export const killWhileStarting = async (data: string, afterMs: number, options: ServiceOptions = {}): Promise<Exit> => {
  const { child, exited } = launch(data, options)
  await Promise.race([sleep(afterMs), exited])
  child.kill('SIGKILL')
  return exited
}

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a verb of the command line to its end. */
export const run = (...args: string[]): Promise<Run> => runWith({}, ...args)

/** The same with more in its environment. */
export const runWith = (environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program(), ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })

export const temporaryData = (): Promise<string> => mkdtemp(join(tmpdir(), 'epsilon-ledger-'))

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  readonly output: () => string
}

const launch = (data: string, options: ServiceOptions): Running => {
  const { launcher = [], nodeArguments = [], environment = {} } = options
  const serve = [program(), 'serve', '--data', data, '--host', '127.0.0.1', '--port', '0']
  const [command = process.execPath, ...args] = [...launcher, process.execPath, ...nodeArguments, ...serve]
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const exited = new Promise<Exit>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  const abandon = () => child.kill('SIGKILL')
  process.once('exit', abandon)
  exited.finally(() => process.off('exit', abandon)).catch(() => undefined)
  return { child, exited, output: () => output }
}

const program = (): string => {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there: npm run build`)
  return PROGRAM
}

const ready = async ({ child, exited, output }: Running, path: string, withinMs: number): Promise<string> => {
  const deadline = performance.now() + withinMs
  let ended: Exit | undefined
  exited.then((exit) => (ended = exit)).catch(() => undefined)
  while (performance.now() < deadline) {
    if (ended !== undefined) throw new Error(`the service ended with ${ended.code ?? ended.signal}:\n${output()}`)
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output())?.[0]
    if (url !== undefined && (await answers(url, path))) return url
    await sleep(5)
  }
  child.kill('SIGKILL')
  throw new Error(`the service was not ready within ${withinMs} ms:\n${output()}`)
}

const answers = async (url: string, path: string): Promise<boolean> => {
  const client = new Client(url, undefined, 1)
  try {
    return (await client.get(path, { timeoutMs: 2_000 })).status === 200
  } catch {
    return false
  } finally {
    client.close()
  }
}
