import type { Client } from '../support/client.js'
import { type Book, closeKey, requestKey, type Sent } from './book.js'

/** Units of a census: as many as one spend may have. */
export const COHORT = 20_000

/** A reservation that nobody closes in time. */
export const SHORT_SECONDS = 1

/** Sends what emitters send, one request after the other, until the connection breaks. */
export class Emitter {
  private number = 0
  private readonly open: string[] = []

  constructor(
    readonly source: string,
    private readonly book: Book,
    private readonly random: () => number,
  ) {}

  /** `round` names budgets that are new, so that there are always fresh ones beside those that are spent. */
  async run(client: Client, round: number, stopped: () => boolean): Promise<void> {
    while (!stopped() && (await this.book.send(client, this.next(round)))) {
      // The next one.
    }
  }

  private next(round: number): Sent {
    const dice = this.random()
    if (dice < 0.15) return this.book.earlier(this.source, this.random) ?? this.spend(round)
    if (dice < 0.3) return this.batch(round)
    if (dice < 0.38) return this.reserve(round)
    if (dice < 0.46) return this.close() ?? this.spend(round)
    if (dice < 0.48) return this.census(round)
    if (dice < 0.53) return this.report(round)
    return this.spend(round)
  }

  private spend(round: number): Sent {
    const id = this.id()
    return this.sent('/v1/spends', { id, ...this.item(round) }, requestKey(this.source, id))
  }

  private batch(round: number): Sent {
    const spends = Array.from({ length: 20 + this.below(180) }, () => ({ id: this.id(), ...this.item(round) }))
    return this.sent('/v1/spends/batch', { spends }, ...spends.map(({ id }) => requestKey(this.source, id)))
  }

  private reserve(round: number): Sent {
    const id = this.id()
    this.open.push(id)
    const expiresInSeconds = this.random() < 0.2 ? SHORT_SECONDS : 3_600
    const body = { id, expiresInSeconds, ...this.query(round), epsilon: '0.05', count: '4' }
    return this.sent('/v1/reservations', body, requestKey(this.source, id))
  }

  /** Settles or releases a reservation that was accepted. */
  private close(): Sent | undefined {
    const [id] = this.open.splice(this.below(this.open.length), 1)
    if (id === undefined) return undefined
    const opened = this.book.told.get(requestKey(this.source, id))
    if (opened?.status !== 201 || opened.sent.body['expiresInSeconds'] === SHORT_SECONDS) return undefined
    const how = this.below(3)
    if (how === 0)
      return this.sent(`/v1/reservations/${id}/release`, { reason: 'nothing ran' }, closeKey(this.source, id))
    const body = how === 1 ? { count: '2' } : { mechanism: 'declared_pure', epsilon: '0.03' }
    return this.sent(`/v1/reservations/${id}/settle`, body, closeKey(this.source, id))
  }

  private census(round: number): Sent {
    const id = this.id()
    const drop = this.random() < 0.5
    const from = drop ? 5_000 : 0
    const units = Array.from({ length: COHORT }, (_, index) => `c${Math.floor(round / 8)}-${from + index}`)
    const body = {
      id,
      units,
      purpose: 'census',
      ...(drop ? { onExhausted: 'drop' } : {}),
      mechanism: 'declared_approx',
      epsilon: '0.4',
      delta: '0.00000001',
    }
    return this.sent('/v1/spends', body, requestKey(this.source, id))
  }

  private report(round: number): Sent {
    const id = this.id()
    return this.sent('/v1/reports', { id, ...this.query(round), epsilon: '0.5' }, requestKey(this.source, id))
  }

  private item(round: number): Readonly<Record<string, unknown>> {
    const dice = this.random()
    if (dice < 0.6) return { ...this.query(round), epsilon: `0.${1 + this.below(5)}` }
    if (dice < 0.8) {
      return {
        dataset: `d${Math.floor(round / 4)}-${this.below(3)}`,
        purpose: 'study',
        mechanism: 'gaussian',
        noiseMultiplier: `${100 + 100 * this.below(3)}`,
      }
    }
    return {
      unit: `t${this.below(40)}`,
      purpose: 'training',
      mechanism: 'gaussian',
      noiseMultiplier: `1.${this.below(4)}`,
      sampling: { method: 'poisson', probability: '0.01' },
      count: `${100 * (1 + this.below(3))}`,
    }
  }

  private query(round: number): Readonly<Record<string, unknown>> {
    const unit = `u${Math.floor(round / 3)}-${this.below(200)}`
    return { unit, analyst: `a${this.below(3)}`, purpose: 'query', mechanism: 'declared_pure', epsilon: '0.1' }
  }

  private sent(path: string, body: Readonly<Record<string, unknown>>, ...keys: string[]): Sent {
    return { source: this.source, path, body, keys }
  }

  private id(): string {
    return `${this.number++}`
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit)
  }
}
