import type { Chunk, ChunkSink, ChunkSource } from '../../../src/adapters/state/chunks.js'

/** Chunks in memory, in the place of a file. */
export class MemoryFile implements ChunkSink, ChunkSource {
  readonly #streams = new Map<string, Map<number, Uint8Array>>()

  put(stream: string, number: number, bytes: Uint8Array): void {
    const chunks = this.#streams.get(stream) ?? new Map<number, Uint8Array>()
    this.#streams.set(stream, chunks.set(number, bytes.slice()))
  }

  remove(stream: string, number: number): void {
    this.#streams.get(stream)?.delete(number)
  }

  chunks(stream: string): readonly Chunk[] {
    return [...(this.#streams.get(stream) ?? [])]
      .map(([number, bytes]) => ({ number, bytes }))
      .sort((one, other) => one.number - other.number)
  }

  bytes(stream: string): number {
    return this.chunks(stream).reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
}
