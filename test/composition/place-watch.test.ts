import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { PlaceWatch } from '../../src/composition/place-watch.js'
import { positionOf } from '../../src/ledger/block.js'
import { LedgerError } from '../../src/ledger/errors.js'
import { blockAfter } from '../support/logs.js'

/** A place that is what the test says. */
class Place extends MemoryStore {
  state: 'sound' | 'capped' | 'away' | 'silent' = 'sound'
  looks = 0

  override async inspect(): Promise<LedgerError | undefined> {
    this.looks++
    while (this.state === 'silent') await sleep(1)
    if (this.state === 'away') throw new Error('nobody answers')
    return this.state === 'sound' ? undefined : new LedgerError('STREAM_CAPPED', 'it has a cap', { retry: 'never' })
  }

  async looked(): Promise<void> {
    for (const before = this.looks; this.looks < before + 2; ) await sleep(1)
  }
}

test('what is wrong with a place is known until it is mended, also while nobody answers', async () => {
  const place = new Place()
  const watch = new PlaceWatch(place, () => undefined, 1)
  const over = new AbortController()
  const running = watch.run(over.signal)
  await place.looked()
  expect(watch.fault).toBeUndefined()
  place.state = 'capped'
  await place.looked()
  expect(watch.fault?.code).toBe('STREAM_CAPPED')
  place.state = 'away'
  await place.looked()
  expect(watch.fault?.code).toBe('STREAM_CAPPED')
  expect(watch.away?.code).toBe('STORE_UNREACHABLE')
  place.state = 'sound'
  await place.looked()
  expect([watch.fault, watch.away]).toEqual([undefined, undefined])
  over.abort()
  await running
})

test('a place that has less than was read from it, or another record there, is told, and one that has more is not', async () => {
  const place = new Place()
  const [first, second] = [blockAfter(undefined, 1), blockAfter(undefined, 2)]
  await place.append([first], undefined)
  let seen = positionOf(first)
  const watch = new PlaceWatch(place, () => seen, 1)
  const over = new AbortController()
  const running = watch.run(over.signal)
  await place.looked()
  expect(watch.fault).toBeUndefined()
  for (const other of [positionOf(second), { ...seen, leaf: 'ab'.repeat(32) }]) {
    seen = other
    await place.looked()
    expect(watch.fault).toMatchObject({ code: 'STORE_WENT_BACK', exitCode: 21 })
    expect(watch.fault?.message).toContain(`record ${other.seq} (leaf ${other.leaf})`)
  }
  // The primary is back.
  seen = positionOf(first)
  await place.append([blockAfter(seen, 1)], seen)
  await place.looked()
  expect(watch.fault).toBeUndefined()
  over.abort()
  await running
})

const LONG = { timeout: 60_000 }

test('a place that says nothing is known to be away before anybody gives up', async () => {
  const place = new Place()
  const watch = new PlaceWatch(place, () => undefined, 1, 20)
  const over = new AbortController()
  const running = watch.run(over.signal)
  await place.looked()
  expect(watch.away).toBeUndefined()
  place.state = 'silent'
  await vi.waitFor(() => expect(watch.away).toMatchObject({ code: 'STORE_UNREACHABLE' }), LONG)
  place.state = 'sound'
  await vi.waitFor(() => expect(watch.away).toBeUndefined(), LONG)
  over.abort()
  await running
})
