import { createRequire } from 'node:module'
import type { OutgoingMessage, ReceivedMessage } from '../../src/kafka/wire-message.js'

/** Headers as a topic keeps them: a list, in which names may come again. */
export type HeaderList = readonly (readonly [name: string, value: Buffer | null])[]

export interface Stored {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: HeaderList
  readonly timestamp?: string
  readonly offset?: string
}

interface Written {
  readonly buffer: Buffer
  writeInt8(value: number): Written
  writeVarLong(value: number): Written
  writeVarInt(value: number): Written
  writeVarIntBytes(value: Buffer | null): Written
  writeVarIntArray(items: readonly Written[]): Written
}

const load = createRequire(import.meta.url)
const Encoder = load('kafkajs/src/protocol/encoder') as new () => Written
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { readVarInt(): number }
const encodeHeader = load('kafkajs/src/protocol/recordBatch/header/v0') as (header: object) => Written
const encodeRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => Written
const decodeRecord = load('kafkajs/src/protocol/recordBatch/record/v0/decoder') as (
  decoder: object,
  batch: object,
) => ReceivedMessage

/** What the client makes of a message that is stored so: its own decoder reads the bytes of the record. */
export const received = ({
  key,
  value,
  headers,
  timestamp = '1767225600000',
  offset = '0',
}: Stored): ReceivedMessage => {
  const record = new Encoder()
    .writeInt8(0)
    .writeVarLong(0)
    .writeVarInt(0)
    .writeVarIntBytes(key)
    .writeVarIntBytes(value)
    .writeVarIntArray(headers.map(([name, bytes]) => encodeHeader({ key: name, value: bytes })))
  return decoded(record.buffer, timestamp, offset)
}

/** What the client reads of a message that it has sent. */
export const sentAndReceived = (
  message: OutgoingMessage,
  offset = '0',
  timestamp = '1767225600000',
): ReceivedMessage => {
  const { buffer } = encodeRecord({ ...message, key: message.key === null ? null : Buffer.from(message.key) })
  const decoder = new Decoder(buffer)
  decoder.readVarInt()
  return decodeRecord(decoder, { firstOffset: offset, firstTimestamp: timestamp })
}

const decoded = (bytes: Buffer, timestamp: string, offset: string): ReceivedMessage =>
  decodeRecord(new Decoder(bytes), { firstOffset: offset, firstTimestamp: timestamp })
