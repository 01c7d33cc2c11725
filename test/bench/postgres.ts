import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PostgresServer } from '../support/postgres-server.js'

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

/** A PostgreSQL of its own with the tables of the rule, reached over its Unix socket, durable as it comes. */
export class Postgres {
  private constructor(private readonly server: PostgresServer) {}

  /** Throws `MissingPart` where PostgreSQL or pgbench is not installed. */
  static async start(): Promise<Postgres> {
    const settings = { shared_buffers: '512MB', max_wal_size: '4GB', fsync: 'on', synchronous_commit: 'on' }
    const started = new Postgres(await PostgresServer.start({ settings }))
    await started.create()
    return started
  }

  get version(): string {
    return this.server.version
  }

  /** Transactions a second. */
  async bench(script: Script, budgets: 'spread' | 'hot', clients: number, seconds: number): Promise<number> {
    await this.sql('TRUNCATE audit', 'VACUUM budgets', 'CHECKPOINT')
    const file = join(this.server.folder, `${script}-${budgets}.sql`)
    await writeFile(file, SCRIPTS[script](budgets === 'hot' ? '\\set b 1' : `\\set b random(1, ${BUDGETS})`, ROW), {
      mode: 0o644,
    })
    const output = await this.server.run('pgbench', [
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
    const tps = /^tps = ([\d.]+)/m.exec(output)?.[1]
    if (tps === undefined || /failed transactions: [1-9]/.test(output)) throw new Error(`pgbench says:\n${output}`)
    return Number(tps)
  }

  stop(): Promise<void> {
    return this.server.stop()
  }

  private create(): Promise<void> {
    return this.sql(
      'CREATE TABLE budgets (id int PRIMARY KEY, spent bigint NOT NULL, cap bigint NOT NULL)',
      'CREATE TABLE audit (seq bigserial PRIMARY KEY, budget int NOT NULL, data text NOT NULL)',
      `INSERT INTO budgets SELECT g, 0, ${2n ** 62n} FROM generate_series(1, ${BUDGETS}) g`,
    )
  }

  private async sql(...statements: string[]): Promise<void> {
    await this.server.run('psql', ['-q', '-v', 'ON_ERROR_STOP=1', ...statements.flatMap((sql) => ['-c', sql])])
  }
}
