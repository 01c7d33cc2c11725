import type { Client, Reply } from '../support/client.js'
import { decisionKey } from './log-oracle.js'

/** One request as it was sent. A batch decides several ids. */
export interface Sent {
  readonly source: string
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /** Names of what it decides, in order, as the log is asked for them. */
  readonly keys: readonly string[]
}

/** What a caller was told of one decision. */
export interface Told {
  readonly sent: Sent
  readonly status: number
  readonly decision: unknown
  readonly seq: number
  readonly leaf: string
  /** The whole answer, but for the mark of a repeat, which has to be the same. */
  readonly text: string
}

/** What all clients together have been told, and what they still wait for. */
export class Book {
  readonly told = new Map<string, Told>()
  readonly toldSince: string[] = []
  unanswered: Sent[] = []
  private readonly repeatable = new Map<string, Sent[]>()

  /** Sends, notes what was told, and throws where a repeat is told something else. False where no answer came. */
  async send(client: Client, sent: Sent): Promise<boolean> {
    let reply: Reply
    try {
      reply = await client.post(sent.path, sent.body)
    } catch {
      this.unanswered.push(sent)
      return false
    }
    if (reply.status === 503) {
      this.unanswered.push(sent)
      return true
    }
    const results = reply.status === 200 ? (reply.body['results'] as Answer[] | undefined) : undefined
    const answers: readonly Answer[] = results ?? [{ ...reply.body, status: reply.status }]
    if (answers.length !== sent.keys.length)
      throw new Error(`${sent.keys.length} spends have ${answers.length} answers`)
    let waits = false
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 503) waits = true
      else this.note(sent, sent.keys[index] as string, answer)
    }
    if (waits) this.unanswered.push(sent)
    else this.repeatableOf(sent.source).push(sent)
    return true
  }

  /** Something that this source was answered before. */
  earlier(source: string, random: () => number): Sent | undefined {
    const all = this.repeatableOf(source)
    return all[Math.floor(random() * all.length)]
  }

  private repeatableOf(source: string): Sent[] {
    const all = this.repeatable.get(source) ?? []
    this.repeatable.set(source, all)
    return all
  }

  private note(sent: Sent, key: string, answer: Answer): void {
    const { status, receipt } = answer
    if ((status !== 200 && status !== 201 && status !== 409) || receipt === undefined) {
      throw new Error(`${sent.path} ${key} is answered ${JSON.stringify(answer).slice(0, 500)}`)
    }
    const told: Told = {
      sent,
      status,
      decision: answer.decision,
      seq: receipt.seq,
      leaf: receipt.leaf,
      text: sortedJson({ ...answer, replayed: undefined }),
    }
    const before = this.told.get(key)
    if (before === undefined) {
      this.told.set(key, told)
      this.toldSince.push(key)
    } else if (before.text !== told.text) {
      throw new Error(`${key} was told ${before.text} and then ${told.text}`)
    }
  }
}

interface Answer {
  readonly status: number
  readonly decision?: unknown
  readonly receipt?: { readonly seq: number; readonly leaf: string }
}

/** JSON with the members of every object in one order: a repeat may name the same facts in another. */
const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

export const requestKey = (source: string, id: string): string => decisionKey(source, id, 'request')
export const closeKey = (source: string, id: string): string => decisionKey(source, id, 'close')
