import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import gossipPb from '@eventstore/db-client/generated/gossip_pb.js'
import featuresPb from '@eventstore/db-client/generated/serverfeatures_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'

/** One call between the client and a real server, as `test/vectors/eventstore-wire.json` has it. */
export interface Exchange {
  readonly name: string
  readonly method: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly requestMessagesBase64: readonly (string | Shortened)[]
  readonly responseMessagesBase64: readonly string[]
  readonly responseHeaders: { readonly date: string }
  readonly trailersOnly: boolean
  /** Null where the client left a call that was still open. */
  readonly trailers: Readonly<Record<string, string>> | null
}

/** A long message: what is missing at its end is the data of its event, all of it the same letter, and one flag. */
interface Shortened {
  readonly length: number
  readonly sha256: string
  readonly firstBytesBase64: string
}

interface Recording {
  readonly server: string
  readonly http2: { readonly serverSettings: Readonly<Record<string, unknown>> }
  readonly entries: readonly Exchange[]
}

export const RECORDING: Recording = JSON.parse(
  readFileSync(new URL('../../vectors/eventstore-wire.json', import.meta.url), 'utf8'),
)

/** The messages that the client sent. A deadline lies as far from now as it lay then. */
export const sentMessages = ({ method, requestMessagesBase64, responseHeaders }: Exchange): readonly Uint8Array[] => {
  const late = Date.now() - Date.parse(responseHeaders.date) - STALE_BY_MS
  const messages = requestMessagesBase64.map(wholeMessage)
  return method.endsWith('/BatchAppend') ? messages.map((message) => postponed(message, late)) : messages
}

/** The server renews the date in its headers about once a second; deadlines were ten seconds away, or had passed. */
const STALE_BY_MS = 2_000

interface Answers {
  /** Without what must differ from run to run. */
  readonly messages: readonly unknown[]
  /** The places of events among those of all streams, as they occur in the messages. */
  readonly positions: readonly bigint[]
}

export const decodeAnswers = (method: string, messages: readonly Uint8Array[]): Answers => {
  const decode = ANSWERS[method]
  if (decode === undefined) throw new Error(`no decoder for the answers of ${method}`)
  const positions: bigint[] = []
  return { messages: messages.map((message) => plain(decode(message).toObject(), positions)), positions }
}

const ANSWERS: Readonly<Record<string, (bytes: Uint8Array) => { toObject(): unknown }>> = {
  '/event_store.client.streams.Streams/Append': streamsPb.AppendResp.deserializeBinary,
  '/event_store.client.streams.Streams/BatchAppend': streamsPb.BatchAppendResp.deserializeBinary,
  '/event_store.client.streams.Streams/Delete': streamsPb.DeleteResp.deserializeBinary,
  '/event_store.client.streams.Streams/Read': streamsPb.ReadResp.deserializeBinary,
  '/event_store.client.streams.Streams/Tombstone': streamsPb.TombstoneResp.deserializeBinary,
  '/event_store.client.gossip.Gossip/Read': gossipPb.ClusterInfo.deserializeBinary,
  '/event_store.client.server_features.ServerFeatures/GetSupportedMethods':
    featuresPb.SupportedMethods.deserializeBinary,
}

const POSITIONS = ['commitPosition', 'preparePosition']
/** Made up anew in every run: ids, times, and the port on which the server listens. */
const GENERATED = ['subscriptionId', 'instanceId', 'timeStamp', 'port']

const plain = (value: unknown, positions: bigint[]): unknown => {
  if (Array.isArray(value)) return value[0] === 'created' ? 'created' : value.map((item) => plain(item, positions))
  // The highest number of 64 bits, by which an old field says "no stream": the client's own code cannot write it.
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return 0
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([name, member]) => {
    if (!POSITIONS.includes(name) || typeof member !== 'string')
      return [name, GENERATED.includes(name) && member !== undefined ? 'generated' : plain(member, positions)]
    positions.push(BigInt(member))
    return [name, 'position']
  })
  return Object.fromEntries(members)
}

const wholeMessage = (message: string | Shortened): Uint8Array => {
  if (typeof message === 'string') return Buffer.from(message, 'base64')
  const start = Buffer.from(message.firstBytesBase64, 'base64')
  const end = Buffer.from([IS_FINAL, 1])
  const fill = Buffer.alloc(message.length - start.length - end.length, 'a')
  const whole = Buffer.concat([start, fill, end])
  const hash = createHash('sha256').update(whole).digest('hex')
  if (hash !== message.sha256) throw new Error(`the message is not the one that was recorded: ${hash}`)
  return whole
}

/** Key of the field `is_final`. */
const IS_FINAL = 0x20

const postponed = (message: Uint8Array, ms: number): Uint8Array => {
  const request = streamsPb.BatchAppendReq.deserializeBinary(message)
  const deadline = request.getOptions()?.getDeadline()
  deadline?.fromDate(new Date(deadline.toDate().getTime() + ms))
  return request.serializeBinary()
}
