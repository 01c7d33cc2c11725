import type { ProposedEvent, StoredEvent } from './events.js'

/** What one frame of the file says. */
export type FileRecord =
  | { readonly stream: string; readonly at: number; readonly events: readonly EventHead[] }
  | { readonly stream: string; readonly tombstone: true }

interface EventHead {
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly metadata: number
  readonly data: number
}

const LENGTH = 4

/** A frame of events: what is known of them as JSON, then their bytes. */
export const encodeEvents = (stream: string, at: number, events: readonly ProposedEvent[]): Buffer => {
  const heads = events.map(({ id, type, contentType, metadata, data }) => ({
    id,
    type,
    contentType,
    metadata: metadata.length,
    data: data.length,
  }))
  const header = encodeHeader({ stream, at, events: heads })
  return Buffer.concat([header, ...events.flatMap(({ metadata, data }) => [metadata, data])])
}

export const encodeTombstone = (stream: string): Buffer => encodeHeader({ stream, tombstone: true })

const encodeHeader = (record: FileRecord): Buffer => {
  const json = Buffer.from(JSON.stringify(record))
  const length = Buffer.alloc(LENGTH)
  length.writeUInt32LE(json.length)
  return Buffer.concat([length, json])
}

/** Reads a frame again; `bodyAt` is its offset in the file. */
export const decodeRecord = (
  body: Buffer,
  bodyAt: number,
): { readonly stream: string; readonly events: readonly StoredEvent[] | 'tombstone' } => {
  const length = body.readUInt32LE(0)
  const record = JSON.parse(body.toString('utf8', LENGTH, LENGTH + length)) as FileRecord
  if ('tombstone' in record) return { stream: record.stream, events: 'tombstone' }
  let bytesAt = bodyAt + LENGTH + length
  const events = record.events.map(({ id, type, contentType, metadata, data }, number) => {
    const event = { id, type, contentType, at: record.at, position: bodyAt + number, bytesAt }
    bytesAt += metadata + data
    return { ...event, metadataLength: metadata, dataLength: data }
  })
  return { stream: record.stream, events }
}
