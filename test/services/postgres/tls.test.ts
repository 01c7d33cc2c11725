import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresStore } from '../../../src/adapters/postgres/postgres-store.js'
import { blocksOf, collect } from '../../support/logs.js'
import { MissingPart } from '../../support/missing-part.js'
import { postgresPrograms } from '../../support/postgres-programs.js'
import { PostgresServer } from '../../support/postgres-server.js'
import { withServer } from '../with-server.js'

/** A server with a certificate of its own, and the folder in which that is. */
class SecuredPostgres {
  private constructor(
    readonly postgres: PostgresServer,
    private readonly folder: string,
  ) {}

  static async start(): Promise<SecuredPostgres> {
    const { account } = await postgresPrograms()
    const folder = await mkdtemp(join(tmpdir(), 'postgres-tls-'))
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
    await promisify(execFile)('openssl', [...FRESH, ...NAME, '-keyout', key, '-out', certificate]).catch(
      (error: Error) => {
        throw new MissingPart(`a PostgreSQL with TLS needs openssl: ${error.message}`)
      },
    )
    if (account !== undefined)
      await Promise.all([folder, key, certificate].map((path) => chown(path, account.uid, account.gid)))
    const settings = { ssl: 'on', ssl_key_file: key, ssl_cert_file: certificate }
    return new SecuredPostgres(await PostgresServer.start({ settings }), folder)
  }

  get authority(): string {
    return join(this.folder, 'certificate.pem')
  }

  async stop(): Promise<void> {
    await this.postgres.stop()
    await rm(this.folder, { recursive: true })
  }
}

const FRESH = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
const NAME = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']

const server = withServer(() => SecuredPostgres.start())

test('with TLS all goes as without, and followers too', async () => {
  const url = `${server().postgres.url}?sslmode=verify-full&sslrootcert=${server().authority}`
  const store = await PostgresStore.open({ url, ledger: randomUUID() })
  onTestFinished(() => store.close())
  await store.append(blocksOf(2, 1), undefined)
  expect(await collect(store.read(0))).toHaveLength(2)
  for await (const { number } of store.subscribe(0, new AbortController().signal)) if (number === 1) break
  const client = new pg.Client(server().postgres.url)
  await client.connect()
  onTestFinished(() => client.end())
  const { rows } = await client.query(
    "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'epsilon-ledger'",
  )
  expect(rows).toEqual([{ ssl: true }])
})

// The client warns that "require" will mean less in a later version: here it goes on meaning this.
test.each(['verify-full', 'verify-ca', 'require'])(
  'a server that nobody vouches for is not told the password: %s',
  async (mode) => {
    const url = `${server().postgres.url}?sslmode=${mode}`
    const opening = PostgresStore.open({ url, ledger: randomUUID() })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /self.signed certificate/ })
  },
)
