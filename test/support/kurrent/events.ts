/** An event as a client proposes it. */
export interface ProposedEvent {
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly metadata: Uint8Array
  readonly data: Uint8Array
}

/** An event that is stored. What it carries stays in the file. */
export interface StoredEvent {
  readonly id: string
  readonly type: string
  readonly contentType: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Its place among the events of all streams. */
  readonly position: number
  /** Offset in the file: first the metadata, then the data. */
  readonly bytesAt: number
  readonly metadataLength: number
  readonly dataLength: number
}
