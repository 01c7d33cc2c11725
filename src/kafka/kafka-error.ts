import { LedgerError } from '../ledger/errors.js'

/**
 * What brokers or the client library said, as an error of the ledger. `retry` is `never` where the same again meets the
 * same, until somebody changes the brokers or the settings; everything else passes by itself.
 *
 * @param doing what failed, as the beginning of a sentence: `sending to epsilon.journal`.
 */
export const kafkaError = (error: unknown, doing: string): LedgerError => {
  if (error instanceof LedgerError) return error
  const reasons = reasonsOf(error)
  const { code, hint, retry } = KINDS.find(({ matches }) => reasons.some((reason) => matches(reason))) ?? OTHER
  const said = reasons.find(({ type }) => type !== undefined) ?? reasons.at(-1)
  const what = said?.type === undefined ? (said?.message ?? String(error)) : `${said.type}: ${said.message}`
  const exitCode = code === 'KAFKA_LOGIN_FAILED' ? 12 : 3
  return new LedgerError(code, `${doing} failed: ${what}`, { retry, hint, cause: error, exitCode })
}

interface Reason {
  readonly name: string
  readonly message: string
  /** Name of the protocol's error code. */
  readonly type: string | undefined
}

/** The library wraps errors in errors; the innermost one comes last. */
const reasonsOf = (error: unknown): readonly Reason[] => {
  const reasons: Reason[] = []
  for (let at = error; at instanceof Error && reasons.length < 10; at = innerOf(at)) {
    const { type } = at as Error & { readonly type?: unknown }
    reasons.push({ name: at.name, message: at.message, type: typeof type === 'string' ? type : undefined })
  }
  return reasons
}

/** What an error stands for: its cause, or the first of several that came together. */
const innerOf = (error: Error): unknown =>
  error.cause ?? (error as Error & { readonly errors?: readonly unknown[] }).errors?.[0]

interface Kind {
  readonly code: string
  readonly retry: 'now' | 'never'
  readonly hint: string
  readonly matches: (reason: Reason) => boolean
}

const ofType =
  (...types: readonly string[]) =>
  ({ type }: Reason): boolean =>
    type !== undefined && types.includes(type)

const KINDS: readonly Kind[] = [
  {
    code: 'MESSAGE_TOO_LARGE',
    retry: 'never',
    hint: 'Raise max.message.bytes of the topic: epsilon-ledger topics shows what it needs.',
    matches: ofType('MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'),
  },
  {
    code: 'KAFKA_LOGIN_FAILED',
    retry: 'never',
    hint: 'Check the SASL mechanism, the user name and the password file.',
    matches: ({ name }) => name === 'KafkaJSSASLAuthenticationError',
  },
  {
    code: 'KAFKA_FORBIDDEN',
    retry: 'never',
    hint: "Grant the ledger's user the rights that docs/runbooks/kafka.md lists.",
    matches: ({ type }) => type?.endsWith('_AUTHORIZATION_FAILED') ?? false,
  },
  {
    code: 'KAFKA_REFUSED',
    retry: 'never',
    hint: 'Compare the topic with what epsilon-ledger topics says that it needs.',
    matches: ofType(
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_RECORD',
      'INVALID_TIMESTAMP',
      'INVALID_CONFIG',
      'INVALID_PARTITIONS',
      'INVALID_REPLICATION_FACTOR',
      'POLICY_VIOLATION',
      'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      'UNSUPPORTED_COMPRESSION_TYPE',
      'UNSUPPORTED_VERSION',
    ),
  },
  {
    code: 'MESSAGE_UNREADABLE',
    retry: 'never',
    hint: 'A codec that is not known here: with compression.type=uncompressed the brokers of a topic unpack it.',
    matches: ({ name }) => name === 'KafkaJSNotImplemented',
  },
  {
    code: 'TOPIC_MISSING',
    retry: 'now',
    hint: 'epsilon-ledger topics --apply makes what is missing.',
    matches: ofType('UNKNOWN_TOPIC_OR_PARTITION'),
  },
  {
    code: 'KAFKA_UNREACHABLE',
    retry: 'now',
    hint: 'Check that the brokers run, and that host and port are what they advertise.',
    matches: ({ name }) => UNREACHABLE.has(name),
  },
]

const UNREACHABLE: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSBrokerNotFound',
])

const OTHER = { code: 'KAFKA_FAILED', retry: 'now', hint: 'It is tried again by itself.' } as const
