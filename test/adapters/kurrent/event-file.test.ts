import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EventFile } from '../../support/kurrent/event-file.js'
import type { ProposedEvent } from '../../support/kurrent/events.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const event = (id: string, data: string): ProposedEvent => ({
  id,
  type: 't',
  contentType: 'application/octet-stream',
  metadata: Buffer.from(`about ${id}`),
  data: Buffer.from(data),
})

const contents = (file: EventFile, stream: string): readonly string[] =>
  Array.from({ length: file.streams.last(stream) + 1 }, (_, at) => {
    const { metadata, data } = file.content(file.streams.event(stream, at))
    return `${metadata}: ${data}`
  })

test('what was answered is there when the file is opened again, byte for byte and at the same positions', async () => {
  const path = join(temporaryFolder(), 'events')
  const file = new EventFile(path)
  const done = await file.append('s', 'no_stream', [event('a', 'one'), event('b', '')])
  await file.append('other', 'any', [event('c', 'x'.repeat(600_000))])
  await file.append('$$capped', 'any', [event('d', '{"$maxCount":3}')])
  await file.delete('other', 0n)
  await file.append('dead', 'any', [event('e', 'e')])
  await file.tombstone('dead', 'any')
  const again = new EventFile(path)
  expect(contents(again, 's')).toEqual(['about a: one', 'about b: '])
  expect(contents(again, 'other')).toEqual([`about c: ${'x'.repeat(600_000)}`])
  expect(await again.append('s', 'no_stream', [event('a', 'one'), event('b', '')])).toEqual(done)
  expect(again.streams.metadata('capped').toString()).toBe('{"$maxCount":3}')
  expect(again.streams.readable('other', 0)).toBe('missing')
  expect(again.streams.readable('dead', 0)).toBe('deleted')
})

test('what was there before a soft deletion stays hidden, whatever comes after it', async () => {
  const path = join(temporaryFolder(), 'events')
  const file = new EventFile(path)
  for (const stream of ['goes on', 'is described']) {
    await file.append(stream, 'no_stream', [event('a', 'one'), event('b', 'two')])
    await file.delete(stream, 1n)
  }
  await file.append('goes on', 'no_stream', [event('c', 'three')])
  await file.append('$$is described', 'any', [event('d', '{"$maxCount":9}')])
  for (const { streams } of [file, new EventFile(path)]) {
    expect(streams.readable('goes on', 0)).toEqual({ first: 2, last: 2 })
    expect(streams.readable('is described', 0)).toEqual({ first: 2, last: 1 })
    expect(JSON.parse(streams.metadata('is described').toString())).toEqual({ $maxCount: 9, $tb: 2 })
  }
})

test('cut off anywhere, the file gives the whole appends before the cut, and goes on from there', async () => {
  const path = join(temporaryFolder(), 'events')
  const file = new EventFile(path)
  const ends: number[] = [0]
  for (const id of ['a', 'b', 'c']) {
    await file.append('s', 'any', [event(id, id), event(`${id}2`, id)])
    ends.push(readFileSync(path).length)
  }
  for (let length = 0; length <= (ends.at(-1) as number); length++) {
    const torn = `${path}-torn`
    copyFileSync(path, torn)
    truncateSync(torn, length)
    const whole = ends.filter((end) => end <= length).length - 1
    const opened = new EventFile(torn)
    expect(opened.streams.last('s')).toBe(whole * 2 - 1)
    if (length % 25 === 0) {
      const appended = await opened.append('s', 'any', [event('d', 'after')])
      expect(appended).toMatchObject({ is: 'done', last: whole * 2 })
      expect(contents(new EventFile(torn), 's').at(-1)).toBe('about d: after')
    }
    opened.close()
  }
})

test('a flipped bit ends what is read', async () => {
  const path = join(temporaryFolder(), 'events')
  await new EventFile(path).append('s', 'any', [event('a', 'one')])
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  writeFileSync(path, bytes)
  expect(new EventFile(path).streams.last('s')).toBe(-1)
})

test('appends that arrive together are judged one after the other', async () => {
  const file = new EventFile(join(temporaryFolder(), 'events'))
  const outcomes = await Promise.all(['a', 'b', 'c'].map((id) => file.append('s', 'no_stream', [event(id, id)])))
  expect(outcomes.map(({ is }) => is)).toEqual(['done', 'wrong-version', 'wrong-version'])
})
