import { createRequire } from 'node:module'

interface Header {
  readonly key: string
  readonly value: Buffer | null
}

interface RecordDecoder {
  readVarIntArray(readOne: (decoder: RecordDecoder) => Header): Header[]
}

type Headers = Record<string, Buffer | null | (Buffer | null)[]>

/**
 * Makes the client library collect the headers of a record in one pass.
 *
 * kafkajs 2.2.4 (src/protocol/recordBatch/record/v0/decoder.js) copies all headers so far for each one: a message of 55 KB
 * with 8,000 headers stops the whole process for half a minute, and one of a megabyte for hours. The list of headers is
 * the one thing that it reads by `readVarIntArray`, and `reduce` the one thing that it does with it; so the list gets a
 * `reduce` of its own. The object is the same, but for names that every object inherits, which now have their own values
 * alone.
 */
export const collectHeadersInOnePass = (): void => {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/protocol/decoder') as { prototype: RecordDecoder }
  const { readVarIntArray } = prototype
  if (patched.has(readVarIntArray)) return
  const inOnePass: RecordDecoder['readVarIntArray'] = function (this: RecordDecoder, readOne) {
    const headers = readVarIntArray.call(this, readOne)
    return Object.defineProperty(headers, 'reduce', { value: () => collected(headers) })
  }
  patched.add(inOnePass)
  prototype.readVarIntArray = inOnePass
}

const patched = new WeakSet<RecordDecoder['readVarIntArray']>()

/** Name → value, or values where the name is repeated; own members even where a name is __proto__. */
const collected = (headers: readonly Header[]): Headers => {
  const byName = new Map<string, (Buffer | null)[]>()
  for (const { key, value } of headers) {
    const values = byName.get(key)
    if (values === undefined) byName.set(key, [value])
    else values.push(value)
  }
  return Object.fromEntries(
    [...byName].map(([name, [first = null, ...more]]) => [name, more.length === 0 ? first : [first, ...more]]),
  )
}
