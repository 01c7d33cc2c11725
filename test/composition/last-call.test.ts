import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { LastCall } from '../../src/composition/last-call.js'
import type { Position } from '../../src/ledger/block.js'

/** Answers, fails, or says nothing, as the test wants. */
class Server extends MemoryStore {
  state: 'fine' | 'refusing' | 'silent' = 'fine'
  asked = 0

  override async head(): Promise<Position | undefined> {
    this.asked++
    if (this.state === 'silent') await new Promise(() => undefined)
    if (this.state === 'refusing') throw new Error('not for you')
    return undefined
  }
}

const PATIENCE_MS = 100

test('a store that answers, well or badly, is waited for however long that takes', async () => {
  const store = new Server()
  const over = new AbortController()
  const heard = new LastCall(store, () => undefined, PATIENCE_MS).silence(over.signal)
  for (const state of ['fine', 'refusing'] as const) {
    store.state = state
    for (const before = store.asked; store.asked < before + 30; ) await sleep(5)
  }
  over.abort()
  expect(await heard).toBeUndefined()
})

test('a store that says nothing any more is not waited for, and what waited was not answered', async () => {
  const store = new Server()
  const heard = new LastCall(store, () => undefined, PATIENCE_MS).silence(new AbortController().signal)
  while (store.asked < 3) await sleep(5)
  store.state = 'silent'
  expect(await heard).toMatchObject({ code: 'STORE_UNREACHABLE', exitCode: 3 })
})

test('an append without an answer is uncertain, also where the store answers everything else', async () => {
  let waitsMs: number | undefined = PATIENCE_MS - 1
  const store = new Server()
  const heard = new LastCall(store, () => waitsMs, PATIENCE_MS).silence(new AbortController().signal)
  while (store.asked < 3) await sleep(5)
  waitsMs = PATIENCE_MS
  expect(await heard).toMatchObject({ code: 'APPEND_UNCERTAIN', exitCode: 3 })
})

test('an answer that came while the thread was busy is heard', async () => {
  const store = new Server()
  store.head = () => stat('.').then(() => undefined)
  const over = new AbortController()
  const heard = new LastCall(store, () => undefined, PATIENCE_MS).silence(over.signal)
  for (const until = performance.now() + 20 * PATIENCE_MS; performance.now() < until; );
  await sleep(10)
  over.abort()
  expect(await heard).toBeUndefined()
})
