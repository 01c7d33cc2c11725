import type { LogEntry } from 'kafkajs'

/** What the client library may say beside its message. Everything else stays out: nobody knows what it holds. */
const SAID = ['broker', 'groupId', 'topic', 'partition', 'error'] as const
/** An outage says the same once a second for each connection. */
const QUIET_MS = 60_000
const MOST_REMEMBERED = 200

/** Writes what the client library logs as one JSON object a line; what it says again within a minute is left out. */
export const clientLog = (write: (line: string) => void, now: () => number = Date.now): ((entry: LogEntry) => void) => {
  const saidAt = new Map<string, number>()
  return ({ namespace, label, log }) => {
    const { message, timestamp, ...rest } = log
    const facts = SAID.flatMap((name) => factOf(name, rest[name]))
    const level = label.toLowerCase()
    const what = { level, context: `kafkajs ${namespace}`.trim(), message, ...Object.fromEntries(facts) }
    const text = JSON.stringify(what)
    if (now() - (saidAt.get(text) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
    if (saidAt.size >= MOST_REMEMBERED) saidAt.clear()
    saidAt.set(text, now())
    write(`${JSON.stringify({ at: timestamp, ...what })}\n`)
  }
}

const factOf = (name: string, value: unknown): readonly (readonly [string, string | number])[] => {
  if (typeof value === 'string' || typeof value === 'number') return [[name, value]]
  return value instanceof Error ? [[name, value.message]] : []
}
