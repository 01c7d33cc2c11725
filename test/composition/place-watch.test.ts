import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { PlaceWatch } from '../../src/composition/place-watch.js'
import { LedgerError } from '../../src/ledger/errors.js'

/** A place that is what the test says. */
class Place extends MemoryStore {
  state: 'sound' | 'capped' | 'away' = 'sound'
  looks = 0

  override async inspect(): Promise<LedgerError | undefined> {
    this.looks++
    if (this.state === 'away') throw new Error('nobody answers')
    return this.state === 'sound' ? undefined : new LedgerError('STREAM_CAPPED', 'it has a cap', { retry: 'never' })
  }

  async looked(): Promise<void> {
    for (const before = this.looks; this.looks < before + 2; ) await sleep(1)
  }
}

test('what is wrong with a place is known until it is mended, also while nobody answers', async () => {
  const place = new Place()
  const watch = new PlaceWatch(place, 1)
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
  place.state = 'sound'
  await place.looked()
  expect(watch.fault).toBeUndefined()
  over.abort()
  await running
})
