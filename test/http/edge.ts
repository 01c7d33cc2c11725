import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Service } from '../../src/application/service.js'
import { openService } from '../../src/composition.js'
import { readConfiguration } from '../../src/configuration.js'
import { start } from '../../src/main.js'
import { Client, type Reply } from '../support/client.js'

type Role = 'emitter' | 'auditor' | 'operator' | 'approver'

/** A service on loopback over a real log, with a client for every role. */
export class Edge {
  readonly clients: Client[] = []

  private constructor(
    readonly service: Service,
    readonly url: string,
    readonly operator: Client,
    readonly approver: Client,
    /** What the service has written to its own log. */
    readonly log: readonly string[],
    private readonly served: { close(): Promise<void> },
  ) {}

  /** Whoever opens one closes it. */
  static async open(data: string, environment: Readonly<Record<string, string>> = {}): Promise<Edge> {
    const service = await openService(readConfiguration(environment, { data }))
    const log: string[] = []
    const served = await start({ service, host: '127.0.0.1', port: 0, log: (line) => log.push(line) })
    const tokenIn = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined)
    const clientOf = (name: string) => new Client(served.url, tokenIn(join(data, name)))
    return new Edge(service, served.url, clientOf('operator.token'), clientOf('approver.token'), log, served)
  }

  async close(): Promise<void> {
    for (const client of [this.operator, this.approver, ...this.clients]) client.close()
    await this.served.close()
  }

  /** A client with a new token. */
  async as(role: Role, source: string = role, more: object = {}): Promise<Client> {
    const maker = role === 'approver' ? this.approver : this.operator
    const { body } = await maker.post<{ token: string }>('/v1/tokens', { role, source, ...more })
    return this.client(body.token)
  }

  client(token: string | undefined): Client {
    const client = new Client(this.url, token)
    this.clients.push(client)
    return client
  }

  policy(terms: object): Promise<Reply> {
    return this.operator.post('/v1/policies', { ...LIFETIME, ...terms })
  }

  get head(): number {
    return this.service.position().seq
  }
}

export const LIFETIME = {
  scope: ['unit'],
  metric: 'pure',
  epsilon: '1',
  delta: '0',
  neighboring: 'add_or_remove_one',
  window: 'lifetime',
  role: 'guarantee',
}

/** A spend that costs `epsilon`, exactly. */
export const costing = (epsilon: string, more: object = {}): object => ({
  mechanism: 'declared_pure',
  epsilon,
  ...more,
})

/** A folder for a test file: whoever makes it removes it. */
export interface Folder {
  readonly path: string
  remove(): void
}

export const temporaryData = (): Folder => {
  const path = mkdtempSync(join(tmpdir(), 'epsilon-ledger-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
