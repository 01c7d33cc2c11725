import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** The same rule written by hand, as two teams would write it. */
export const SCRIPTS = {
  /** The textbook transaction: check and update, insert the audit row, commit. */
  transaction: (budget: string, row: string) =>
    `${budget}\nBEGIN;\nUPDATE budgets SET spent = spent + 1 WHERE id = :b AND spent + 1 <= cap;\n` +
    `INSERT INTO audit (budget, data) VALUES (:b, '${row}');\nCOMMIT;\n`,
  /** Tuned: one statement, so one round trip and no row without its charge. */
  statement: (budget: string, row: string) =>
    `${budget}\nWITH u AS (UPDATE budgets SET spent = spent + 1 WHERE id = :b AND spent + 1 <= cap RETURNING id)\n` +
    `INSERT INTO audit (budget, data) SELECT id, '${row}' FROM u;\n`,
} as const

export type Script = keyof typeof SCRIPTS

/** An audit row of the size of a record. */
const ROW = 'x'.repeat(350)
const BUDGETS = 1_000

/** A PostgreSQL of its own in a temporary folder, reached over a Unix socket, durable as it comes: fsync and synchronous commit on. */
export class Postgres {
  private constructor(
    private readonly programs: Programs,
    private readonly folder: string,
    private readonly server: ChildProcess,
    readonly version: string,
  ) {}

  /** Undefined where PostgreSQL or pgbench is not installed. */
  static async start(): Promise<Postgres | undefined> {
    const programs = await findPrograms()
    if (programs === undefined) return undefined
    const folder = await mkdtemp(join(tmpdir(), 'pg-'))
    const data = join(folder, 'data')
    await mkdir(data)
    await chmod(folder, 0o700)
    if (programs.user !== undefined)
      await Promise.all([folder, data].map((path) => chown(path, programs.user!.uid, programs.user!.gid)))
    await execute(programs.initdb, ['-D', data, '-A', 'trust', '-U', 'bench', '--no-instructions'], {
      ...programs.user,
      cwd: folder,
    })
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${folder}`,
      'shared_buffers=512MB',
      'max_wal_size=4GB',
      'fsync=on',
      'synchronous_commit=on',
    ]
    const server = spawn(programs.postgres, ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
      ...programs.user,
      cwd: folder,
      stdio: 'ignore',
    })
    const { stdout } = await execute(programs.postgres, ['--version'])
    const started = new Postgres(programs, folder, server, stdout.trim())
    await started.create()
    return started
  }

  /** Transactions a second. */
  async bench(script: Script, budgets: 'spread' | 'hot', clients: number, seconds: number): Promise<number> {
    await this.sql('TRUNCATE audit', 'VACUUM budgets', 'CHECKPOINT')
    const file = join(this.folder, `${script}-${budgets}.sql`)
    await writeFile(file, SCRIPTS[script](budgets === 'hot' ? '\\set b 1' : `\\set b random(1, ${BUDGETS})`, ROW), {
      mode: 0o644,
    })
    const { stdout } = await this.run(this.programs.pgbench, [
      '-n',
      '-M',
      'prepared',
      '-f',
      file,
      '-c',
      String(clients),
      '-j',
      '2',
      '-T',
      String(Math.ceil(seconds)),
    ])
    const tps = /^tps = ([\d.]+)/m.exec(stdout)?.[1]
    if (tps === undefined || /failed transactions: [1-9]/.test(stdout)) throw new Error(`pgbench says:\n${stdout}`)
    return Number(tps)
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.server.once('exit', resolve))
    this.server.kill('SIGINT')
    await exited
    await rm(this.folder, { recursive: true, force: true })
  }

  private async create(): Promise<void> {
    const deadline = performance.now() + 30_000
    while (!(await this.answers())) {
      if (performance.now() > deadline) throw new Error('PostgreSQL does not answer')
      await sleep(50)
    }
    await this.sql(
      'CREATE TABLE budgets (id int PRIMARY KEY, spent bigint NOT NULL, cap bigint NOT NULL)',
      'CREATE TABLE audit (seq bigserial PRIMARY KEY, budget int NOT NULL, data text NOT NULL)',
      `INSERT INTO budgets SELECT g, 0, ${2n ** 62n} FROM generate_series(1, ${BUDGETS}) g`,
    )
  }

  private async answers(): Promise<boolean> {
    return this.sql('SELECT 1').then(
      () => true,
      () => false,
    )
  }

  private async sql(...statements: string[]): Promise<void> {
    await this.run(this.programs.psql, ['-q', '-v', 'ON_ERROR_STOP=1', ...statements.flatMap((sql) => ['-c', sql])])
  }

  private run(program: string, args: readonly string[]): Promise<{ stdout: string }> {
    return execute(program, ['-h', this.folder, '-U', 'bench', ...args, 'postgres'], {
      ...this.programs.user,
      cwd: this.folder,
    })
  }
}

interface Programs {
  readonly postgres: string
  readonly initdb: string
  readonly pgbench: string
  readonly psql: string
  /** PostgreSQL refuses to run as root: then this user is taken. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

const findPrograms = async (): Promise<Programs | undefined> => {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', ...versionFolders()]
  const find = (name: string) => folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  const [postgres, initdb, pgbench, psql] = ['postgres', 'initdb', 'pgbench', 'psql'].map(find)
  if (postgres === undefined || initdb === undefined || pgbench === undefined || psql === undefined) return undefined
  return { postgres, initdb, pgbench, psql, user: process.getuid?.() === 0 ? await unprivileged() : undefined }
}

const versionFolders = (): string[] => {
  const all = '/usr/lib/postgresql'
  return existsSync(all) ? readdirSync(all).map((version) => join(all, version, 'bin')) : []
}

const unprivileged = async (): Promise<{ uid: number; gid: number }> => {
  const idOf = async (user: string, flag: string) => Number((await execute('id', [flag, user])).stdout)
  const both = async (user: string) => ({ uid: await idOf(user, '-u'), gid: await idOf(user, '-g') })
  return both('postgres').catch(() => both('nobody'))
}
