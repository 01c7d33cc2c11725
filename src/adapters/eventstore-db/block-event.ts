import { createHash } from 'node:crypto'
import type { BinaryEventData, RecordedEvent } from '@eventstore/db-client'
import type { Block } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'

/** The stream of one ledger's shard; no other has this name, since a shard is a number. */
export const streamName = (ledger: string, shard: number): string => `epsilon-${ledger}-${shard}`

/** What else a block is beside its bytes, as the event's metadata says it. Its number is the event's revision. */
interface BlockMetadata {
  readonly first: number
  readonly last: number
  readonly leaf: string
}

type BlockEvent = { type: typeof BLOCK_TYPE; data: Uint8Array; metadata: BlockMetadata & Record<string, unknown> }

const BLOCK_TYPE = 'epsilon.block.v1'

/**
 * One block as one event. A server that is asked twice compares ids, never bytes: so the id says the bytes, and the place where
 * they belong.
 */
export const eventOf = (stream: string, block: Block): BinaryEventData<BlockEvent> => {
  const { first, last, leaf, bytes } = block
  return {
    id: eventId(stream, block),
    contentType: 'application/octet-stream',
    type: BLOCK_TYPE,
    data: bytes,
    metadata: { first, last, leaf },
  }
}

/** A version 8 UUID (RFC 9562) of the SHA-256 over stream, number and bytes. */
export const eventId = (stream: string, { number, bytes }: Block): string => {
  const id = createHash('sha256').update(`${stream}\n${number}\n`).update(bytes).digest().subarray(0, 16)
  id[6] = ((id[6] as number) & 0x0f) | 0x80
  id[8] = ((id[8] as number) & 0x3f) | 0x80
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** The block that an event is. @throws LedgerError STORE_UNREADABLE for an event that is none. */
export const blockOf = (event: RecordedEvent): Block => {
  const { first, last, leaf } = (event.metadata ?? {}) as Partial<BlockMetadata>
  const { data } = event
  const sound =
    event.type === BLOCK_TYPE &&
    data instanceof Uint8Array &&
    isSeq(first) &&
    isSeq(last) &&
    typeof leaf === 'string' &&
    first <= last
  if (!sound) throw foreign(event)
  return { number: Number(event.revision), first, last, leaf, bytes: data }
}

const isSeq = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const foreign = ({ streamId, revision, type }: RecordedEvent): LedgerError =>
  new LedgerError(
    'STORE_UNREADABLE',
    `event ${revision} of stream ${streamId} is a ${type}, and no block of a ledger`,
    {
      retry: 'never',
      hint: 'Somebody else has written to this stream. Keep it as it is, and look at docs/runbooks/kurrentdb.md.',
      exitCode: 20,
    },
  )
