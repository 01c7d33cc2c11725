import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { leaseClient } from '../../../src/adapters/eventstore-db/client.js'
import { readAddress } from '../../../src/adapters/eventstore-db/kurrent-address.js'
import { KurrentStore } from '../../../src/adapters/eventstore-db/kurrent-store.js'
import { type Block, positionOf } from '../../../src/ledger/block.js'
import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { blockAfter, blocksOf, collect } from '../../support/logs.js'

/** A node that takes connections and says nothing, and the one that answers for the cluster. */
const hung = createServer((socket) => void socket.on('error', () => {}))
let node: KurrentDouble
let url: string
beforeAll(async () => {
  await once(hung.listen(0, '127.0.0.1'), 'listening')
  node = await KurrentDouble.start()
  url = `esdb://127.0.0.1:${(hung.address() as AddressInfo).port},127.0.0.1:${node.port}?tls=false&gossipTimeout=1`
})
afterAll(async () => {
  hung.close()
  await node.stop()
})

test('of several hosts the one that leads is found, also where another one hangs', async () => {
  const store = await KurrentStore.open({ url, ledger: randomUUID() })
  const blocks = blocksOf(1, 1)
  expect(await store.append(blocks, undefined)).toEqual(positionOf(blocks[1] as Block))
  await store.close()
})

test('whoever is sent to another leader asks there, once more and at once', async () => {
  const ledger = randomUUID()
  const store = await KurrentStore.open({ url, ledger })
  const [first] = blocksOf(1)
  if (first === undefined) throw new Error('one block was asked for')
  await store.append([first], undefined)
  const leader = await KurrentDouble.start()
  try {
    await leader.kill9()
    copyFileSync(node.dataFile, leader.dataFile)
    await leader.restart()
    await node.misbehave({ leader: { address: '127.0.0.1', port: leader.port } })
    const reads = vi.spyOn(leaseClient(readAddress({ url })).reads, 'readStream')
    expect(await store.head()).toEqual(positionOf(first))
    expect(reads.mock.calls).toHaveLength(2)
    const following = collect(untilBlock(store, 0))
    expect(await collect(store.read(0))).toHaveLength(1)
    expect(await following).toHaveLength(1)
    expect(reads.mock.calls).toHaveLength(3)
  } finally {
    await node.behave()
    await leader.stop()
  }
  // The old one leads again.
  const next = blockAfter(positionOf(first), 1)
  expect(await store.append([next], positionOf(first))).toEqual(positionOf(next))
  expect(await store.head()).toEqual(positionOf(next))
  await store.close()
})

test('a cluster that nobody can find is unreachable, and waited for no longer than that', async () => {
  const store = await KurrentStore.open({ url, ledger: randomUUID(), patienceMs: 5_000 })
  await node.kill9()
  try {
    await expect(store.head()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    await expect(KurrentStore.open({ url, ledger: randomUUID(), patienceMs: 5_000 })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/^kurrentdb:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+ does not answer/),
    })
  } finally {
    await node.restart()
  }
  // The search for the leader may still be busy with the node that hangs.
  await vi.waitFor(async () => expect(await store.head()).toBeUndefined(), { timeout: 120_000 })
  await store.close()
})

async function* untilBlock(store: KurrentStore, number: number): AsyncGenerator<Block, void, undefined> {
  for await (const block of store.subscribe(0, new AbortController().signal)) {
    yield block
    if (block.number === number) return
  }
}
