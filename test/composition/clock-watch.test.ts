import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ClockWatch } from '../../src/composition/clock-watch.js'
import { TimeKeeper } from '../../src/ledger/clock.js'
import { ManualClock } from '../support/manual-clock.js'

/** A server that says what the test wants, or nothing. */
class Server {
  asked = 0
  says: number | 'nothing' | 'an error' = 'nothing'

  async serverTimeMs(): Promise<number | undefined> {
    this.asked++
    if (this.says === 'an error') throw new Error('nobody answers')
    return this.says === 'nothing' ? undefined : this.says
  }

  async looked(): Promise<void> {
    for (const before = this.asked; this.asked < before + 2; ) await sleep(1)
  }
}

test('what the server says of the time is known until it says otherwise, also while nobody answers', async () => {
  const server = new Server()
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  const over = new AbortController()
  const running = new ClockWatch(server, keeper, 1).run(over.signal)
  await server.looked()
  expect(keeper.doubt()).toBeUndefined()
  server.says = clock.wall() - 3_600_000
  await server.looked()
  expect(keeper.doubt()?.detail).toContain('3600000 ms ahead of')
  for (const silence of ['an error', 'nothing'] as const) {
    server.says = silence
    await server.looked()
    expect(keeper.doubt()).toBeDefined()
  }
  server.says = clock.wall()
  await server.looked()
  expect(keeper.doubt()).toBeUndefined()
  over.abort()
  await running
})
