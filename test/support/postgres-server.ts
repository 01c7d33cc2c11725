import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.js'
import { type PostgresProgram, type PostgresPrograms, postgresPrograms } from './postgres-programs.js'
import { TestServer } from './test-server.js'

const SUPERUSER = 'postgres'

/** A real PostgreSQL, durable as it comes: fsync and synchronous commit are on. */
export class PostgresServer extends TestServer {
  /** With name and password of the superuser, and the database `postgres`. */
  readonly url: string

  private constructor(
    folder: string,
    private readonly programs: PostgresPrograms,
    private readonly port: number,
    private readonly password: string,
    settings: Readonly<Record<string, string>>,
  ) {
    const all = { ...settingsOf(folder, port), ...settings }
    const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const args = ['-D', join(folder, 'data'), ...options]
    super('PostgreSQL', folder, { command: programs.paths.postgres, args, account: programs.account, endsOn: 'SIGINT' })
    this.url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`
  }

  /** One server that serves, with further settings or others than its own. Throws `MissingPart` where it is not installed. */
  static async start({ settings = {} }: { settings?: Readonly<Record<string, string>> } = {}): Promise<PostgresServer> {
    const programs = await postgresPrograms()
    const folder = await mkdtemp(join(tmpdir(), 'postgres-'))
    const password = randomBytes(12).toString('hex')
    const server = new PostgresServer(folder, programs, await freePort(), password, settings)
    try {
      await server.create()
      await server.launch()
      return server
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  /** What `postgres --version` says. */
  get version(): string {
    return this.programs.version
  }

  /** Runs psql or pgbench on the database `postgres`, as the superuser, over the server's own socket; gives what it printed. */
  async run(program: PostgresProgram, args: readonly string[]): Promise<string> {
    const place = ['-h', this.folder, '-p', String(this.port), '-U', SUPERUSER]
    return this.execute(program, [...place, ...args, 'postgres'])
  }

  /** Ends it in order where it runs: killed, it would leave shared memory behind. */
  override async stop(): Promise<void> {
    try {
      await this.term()
    } finally {
      await super.stop()
    }
  }

  protected async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 2_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query('SELECT 1')
      return true
    } catch {
      return false
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** Makes its files; over TCP it wants the password. */
  private async create(): Promise<void> {
    const { account } = this.programs
    const passwordFile = join(this.folder, 'password')
    await writeFile(passwordFile, this.password)
    if (account !== undefined)
      await Promise.all([this.folder, passwordFile].map((path) => chown(path, account.uid, account.gid)))
    const access = ['--auth-local=trust', '--auth-host=scram-sha-256', `--username=${SUPERUSER}`]
    const form = ['--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions']
    await this.execute('initdb', ['-D', join(this.folder, 'data'), ...access, `--pwfile=${passwordFile}`, ...form])
  }

  private async execute(program: PostgresProgram, args: readonly string[]): Promise<string> {
    const { paths, account } = this.programs
    return (await promisify(execFile)(paths[program], args, { ...account, cwd: this.folder })).stdout
  }
}

const settingsOf = (folder: string, port: number): Readonly<Record<string, string>> => ({
  listen_addresses: '127.0.0.1',
  port: String(port),
  unix_socket_directories: folder,
  // Where nothing is said it lies outside the folder, and stays there after a kill.
  dynamic_shared_memory_type: 'mmap',
})
