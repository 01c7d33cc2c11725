import { MOST_RECORD_BYTES } from './record.js'

/**
 * Cuts a log file, as it is read in pieces of any size, into runs of whole lines. What has no line feed at the end of
 * the file, or is longer than any record, comes as it is: whoever checks the lines finds the fault.
 */
export async function* wholeLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Uint8Array = new Uint8Array()
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const end = bytes.lastIndexOf(LINE_FEED) + 1
    if (end > 0) yield bytes.subarray(0, end)
    rest = bytes.subarray(end)
    if (rest.length > MOST_RECORD_BYTES) break
  }
  if (rest.length > 0) yield rest
}

const LINE_FEED = 0x0a
