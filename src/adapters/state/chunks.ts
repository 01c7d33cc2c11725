/** Takes what has changed since the last flush: numbered chunks of named streams. */
export interface ChunkSink {
  /** Writes a chunk, in the place of one with the same number. The bytes may change after the flush. */
  put(stream: string, number: number, bytes: Uint8Array): void
  remove(stream: string, number: number): void
}

export interface Chunk {
  readonly number: number
  readonly bytes: Uint8Array
}

/** Gives back what was written. */
export interface ChunkSource {
  /** The chunks of a stream by rising number. */
  chunks(stream: string): Iterable<Chunk>
}

/**
 * A part of the state that keeps account of its changes. `save` writes them and changes nothing else; `saved` forgets
 * them once they are kept. After a flush that failed, the next `save` writes them again.
 */
export interface Saved {
  /** @param flush rises with every flush, from 1 */
  save(sink: ChunkSink, flush: number): void
  saved(): void
}

export const bytesOf = (view: Float64Array | Uint32Array): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

export const floatsOf = (bytes: Uint8Array): Float64Array => {
  const { buffer, byteOffset, byteLength } = aligned(bytes)
  return new Float64Array(buffer, byteOffset, byteLength / 8)
}

export const wordsOf = (bytes: Uint8Array): Uint32Array => {
  const { buffer, byteOffset, byteLength } = aligned(bytes)
  return new Uint32Array(buffer, byteOffset, byteLength / 4)
}

const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 8 === 0 ? bytes : bytes.slice())

export const jsonChunk = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

/** The JSON value of a stream's only chunk. */
export const onlyJson = (source: ChunkSource, stream: string): unknown => {
  for (const { bytes } of source.chunks(stream)) return JSON.parse(Buffer.from(bytes).toString('utf8'))
  throw new RangeError(`${stream} is missing`)
}
