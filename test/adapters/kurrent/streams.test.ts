import { expect, test } from 'vitest'
import type { StoredEvent } from '../../support/kurrent/events.js'
import { SOFT_DELETION, undeleted } from '../../support/kurrent/stream-limits.js'
import { type Expected, Streams } from '../../support/kurrent/streams.js'

/** Streams, and appends to them as they arrive one after the other. */
class Arriving {
  readonly streams = new Streams()
  private position = 0

  append(ids: string, expected: Expected, stream = 's') {
    const list = ids.split('').filter(Boolean)
    const verdict = this.streams.judge(stream, expected, list)
    if (verdict.is === 'new' && list.length > 0) {
      this.store(list, stream)
      this.streams.remember(stream, verdict.after, list)
    }
    return verdict
  }

  /** As when a file is read: nobody has asked for it lately. */
  store(ids: readonly string[], stream = 's', data: string | Uint8Array = '') {
    const events = ids.map((id) => ({ ...EVENT, id, at: this.position, position: this.position++ }))
    this.streams.add(stream, events, () => Buffer.from(data))
  }

  metadata(data: object | Uint8Array) {
    this.store(['m'], '$$s', data instanceof Uint8Array ? data : JSON.stringify(data))
  }
}

const EVENT: StoredEvent = {
  id: '',
  type: 't',
  contentType: 'application/octet-stream',
  at: 0,
  position: 0,
  bytesAt: 0,
  metadataLength: 0,
  dataLength: 0,
}

test('an append is new where the stream ends as it expects', () => {
  const { append } = arriving()
  expect(append('ab', 'no_stream')).toEqual({ is: 'new', after: -1, undeletes: false })
  expect(append('c', 1n)).toEqual({ is: 'new', after: 1, undeletes: false })
  expect(append('d', 'any')).toEqual({ is: 'new', after: 2, undeletes: false })
  expect(append('e', 'stream_exists')).toEqual({ is: 'new', after: 3, undeletes: false })
})

test('an append that expects another end is refused, and told the real one', () => {
  const { append } = arriving()
  expect(append('x', 5n)).toEqual({ is: 'wrong-version', last: -1 })
  expect(append('x', 'stream_exists')).toEqual({ is: 'wrong-version', last: -1 })
  append('ab', 'no_stream')
  for (const expected of ['no_stream', 0n, 99n] as const)
    expect(append('x', expected)).toEqual({ is: 'wrong-version', last: 1 })
})

test('an append without events stores nothing, and succeeds only where others would', () => {
  const { append, streams } = arriving()
  expect(append('', 'no_stream').is).toBe('new')
  expect(streams.readable('s', 0)).toBe('missing')
  append('a', 'no_stream')
  expect(append('', 0n)).toMatchObject({ is: 'new', after: 0 })
  expect(append('', 'no_stream')).toEqual({ is: 'wrong-version', last: 0 })
})

test('the same ids at the same revision are a repeat, however much has followed', () => {
  const { append } = arriving()
  append('ab', 'no_stream')
  for (let at = 1; at < 2_500; at++) append('-', BigInt(at))
  expect(append('ab', 'no_stream')).toEqual({ is: 'repeated', last: 1, position: 1 })
})

test('a beginning of what was appended is a repeat; an end of it, or old with new, is refused', () => {
  const { append } = arriving()
  append('abc', 'no_stream')
  expect(append('ab', 'no_stream')).toEqual({ is: 'repeated', last: 1, position: 1 })
  expect(append('bc', 'no_stream')).toEqual({ is: 'wrong-version', last: 2 })
  expect(append('abcd', 'no_stream')).toEqual({ is: 'wrong-version', last: 2 })
  expect(append('bc', 0n)).toEqual({ is: 'repeated', last: 2, position: 2 })
})

test('without a revision an append is a repeat only where its ids came since the start', () => {
  const { append, store } = arriving()
  append('ab', 'any')
  expect(append('ab', 'any')).toEqual({ is: 'repeated', last: 1, position: 1 })
  for (const partlyNew of ['abc', 'acb']) expect(append(partlyNew, 'any')).toEqual({ is: 'wrong-version', last: 1 })
  expect(append('a', 'any', 'other').is).toBe('new')
  store(['x', 'y'])
  expect(append('xy', 'any')).toMatchObject({ is: 'new', after: 3 })
})

test('limits hide what came first, and change no revision', () => {
  const { append, metadata, streams } = arriving()
  append('abcd', 'no_stream')
  expect(streams.readable('s', 0)).toEqual({ first: 0, last: 3 })
  metadata({ $maxCount: 3 })
  expect(streams.readable('s', 0)).toEqual({ first: 1, last: 3 })
  metadata({ $tb: 2 })
  expect(streams.readable('s', 0)).toEqual({ first: 2, last: 3 })
  metadata({ $maxCount: 3, $tb: 100 })
  expect(streams.readable('s', 0)).toEqual({ first: 100, last: 3 })
  metadata({ $maxAge: 1 })
  expect(streams.readable('s', 1_002)).toEqual({ first: 2, last: 3 })
  metadata(Buffer.from('no JSON'))
  expect(streams.readable('s', 0)).toEqual({ first: 0, last: 3 })
  expect(append('e', 3n).is).toBe('new')
})

test('of the streams of metadata only the last event is shown', () => {
  const { metadata, streams } = arriving()
  metadata({ $maxCount: 1 })
  metadata({ $maxCount: 2 })
  expect(streams.readable('$$s', 0)).toEqual({ first: 1, last: 1 })
})

test('a stream that was deleted softly reads as missing, and goes on with its next revision', () => {
  const { append, metadata, streams } = arriving()
  append('ab', 'no_stream')
  metadata(SOFT_DELETION)
  expect(streams.readable('s', 0)).toBe('missing')
  expect(append('c', 'stream_exists')).toEqual({ is: 'deleted' })
  expect(append('ab', 'no_stream')).toEqual({ is: 'repeated', last: 1, position: 1 })
  expect(streams.readable('s', 0)).toBe('missing')
  expect(append('c', 'no_stream')).toEqual({ is: 'new', after: 1, undeletes: true })
  metadata(undeleted(streams.metadata('s'), 2))
  expect(streams.readable('s', 0)).toEqual({ first: 2, last: 2 })
})

test('a stream with a tombstone is deleted for every call, and so is its metadata', () => {
  const { append, streams } = arriving()
  append('a', 'no_stream')
  streams.tombstone('s')
  for (const expected of ['any', 'no_stream', 'stream_exists', 0n] as const)
    expect(append('b', expected)).toEqual({ is: 'deleted' })
  expect(append('a', 'no_stream')).toEqual({ is: 'deleted' })
  expect(append('m', 'any', '$$s')).toEqual({ is: 'deleted' })
  expect(streams.readable('s', 0)).toBe('deleted')
})

const arriving = () => {
  const all = new Arriving()
  return {
    streams: all.streams,
    append: all.append.bind(all),
    store: all.store.bind(all),
    metadata: all.metadata.bind(all),
  }
}
