import { headersOf, type OutgoingMessage, type ReceivedMessage } from './wire-message.js'

/** Why a message was put aside, and where it came from. */
export interface Burial {
  readonly reason: string
  readonly detail: string
  readonly topic: string
  readonly partition: number
}

/** The headers that a quarantined message gets beside its own. */
export const DEAD_LETTER_HEADERS = [
  'epsilon_reason',
  'epsilon_detail',
  'epsilon_topic',
  'epsilon_partition',
  'epsilon_offset',
  'epsilon_timestamp',
] as const

/**
 * A message as it came, for people to look at: key, value and headers are the same bytes. Where it has a header of ours
 * already, since it was put aside before, ours comes after it.
 *
 * The client can send no header without a value: one comes with an empty value. The record of the quarantine has the digest
 * of the message as it was.
 */
export const deadLetterMessage = (message: ReceivedMessage, burial: Burial): OutgoingMessage => {
  const own = headersOf(message).map(([name, values]) => [name, values.map((value) => value ?? NOTHING)] as const)
  const ours: Readonly<Record<(typeof DEAD_LETTER_HEADERS)[number], string>> = {
    epsilon_reason: burial.reason,
    epsilon_detail: burial.detail,
    epsilon_topic: burial.topic,
    epsilon_partition: String(burial.partition),
    epsilon_offset: message.offset,
    epsilon_timestamp: message.timestamp,
  }
  const headers = new Map<string, Buffer[]>()
  for (const [name, values] of own) headers.set(name, values)
  for (const name of DEAD_LETTER_HEADERS) {
    headers.set(name, [...(headers.get(name) ?? []), Buffer.from(ours[name].toWellFormed())])
  }
  // Own members even where a name is __proto__.
  return { key: message.key, value: message.value, headers: Object.fromEntries(headers) }
}

const NOTHING = Buffer.alloc(0)
