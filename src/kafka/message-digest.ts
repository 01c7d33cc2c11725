import { createHash } from 'node:crypto'
import { type HeaderValue, headersOf, type ReceivedMessage } from './wire-message.js'

/**
 * Names a message by what the topic keeps of it: the first 16 bytes, in hex, of SHA-256 over timestamp, key, value and
 * headers. Every part is preceded by its length in 4 bytes, most significant first; -1 for null, so that null and empty
 * differ. Headers come in the order of their names' bytes, each value after its name.
 *
 * The record that a message causes keeps the digest. At a start the message is read again, and another digest means
 * another topic of the same name. The offset is not in it: a record has that beside it.
 */
export const messageDigest = (message: ReceivedMessage): string => {
  const hash = createHash('sha256')
  for (const part of partsOf(message)) {
    hash.update(lengthOf(part))
    if (part !== null) hash.update(part)
  }
  return hash.digest('hex').slice(0, 32)
}

const partsOf = (message: ReceivedMessage): readonly HeaderValue[] => [
  Buffer.from(message.timestamp),
  message.key,
  message.value,
  ...headersOf(message).flatMap(([name, values]) => values.flatMap((value) => [Buffer.from(name), value])),
]

const lengthOf = (part: Buffer | null): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(part === null ? -1 : part.length)
  return length
}
