import type { JsonObject, JsonValue } from '../../ledger/record.js'
import { StepFailed } from './story.js'

/** Where a decision stands in the log: given with every answer, checkable by anybody who keeps it. */
export interface Receipt {
  readonly ledger: string
  readonly epoch: number
  readonly seq: number
  readonly leaf: string
}

export interface Reply {
  readonly status: number
  readonly body: JsonObject
  /** Whether this is the answer of an earlier request with the same id. */
  readonly replayed: boolean
}

/** No request of the demo takes as long on a loaded machine. */
const PATIENCE_MS = 30_000

/** One caller of the ledger's HTTP interface. Keeps every receipt that it was given. */
export class Client {
  readonly receipts: Receipt[] = []

  constructor(
    private readonly token: string,
    private url: string,
  ) {}

  /** After a restart the service listens elsewhere. */
  moved(url: string): void {
    this.url = url
  }

  post(path: string, body: JsonValue): Promise<Reply> {
    return this.#send('POST', path, JSON.stringify(body))
  }

  get(path: string): Promise<Reply> {
    return this.#send('GET', path)
  }

  /** The exact bytes of one stored record. */
  record(seq: number): Promise<Uint8Array> {
    return this.#bytes(`/records/${seq}`)
  }

  /** All records, one a line. */
  log(): Promise<Uint8Array> {
    return this.#bytes('/records')
  }

  /** As {@link post}, but anything else than one of these statuses fails the step. */
  async expect(statuses: readonly number[], path: string, body: JsonValue): Promise<Reply> {
    const reply = await this.post(path, body)
    if (statuses.includes(reply.status)) return reply
    throw new StepFailed(`POST ${path} was to answer ${statuses.join(' or ')} and answered ${shown(reply)}`)
  }

  async #send(method: string, path: string, body?: string): Promise<Reply> {
    const response = await this.#fetch(method, path, body)
    const reply = {
      status: response.status,
      body: (await response.json()) as JsonObject,
      replayed: response.headers.get('idempotency-replayed') === 'true',
    }
    this.#keep(reply.body)
    return reply
  }

  async #bytes(path: string): Promise<Uint8Array> {
    const response = await this.#fetch('GET', path)
    if (response.status !== 200)
      throw new StepFailed(`GET ${path} answered ${response.status} ${await response.text()}`)
    return new Uint8Array(await response.arrayBuffer())
  }

  #fetch(method: string, path: string, body?: string): Promise<Response> {
    return fetch(`${this.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...(body === undefined ? {} : { body }),
    })
  }

  #keep({ receipt, results }: JsonObject): void {
    if (receipt !== undefined) this.receipts.push(receipt as unknown as Receipt)
    if (Array.isArray(results)) for (const result of results) this.#keep(result as JsonObject)
  }
}

const shown = ({ status, body }: Reply): string => `${status} ${JSON.stringify(body).slice(0, 400)}`
