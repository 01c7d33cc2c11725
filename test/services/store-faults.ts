import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { EventStore } from '../../src/ledger/event-store.js'
import { type Exchange, TcpProxy } from '../support/tcp-proxy.js'
import type { TestServer } from '../support/test-server.js'
import { LEAST_BLOCK_BYTES, StoreLoad } from './store-load.js'

/** A store across a network, on a server that the tests may kill. */
export interface RemoteStore {
  /** It keeps what it acknowledged through a kill. */
  readonly server: () => TestServer
  /** Where it listens on 127.0.0.1. */
  readonly port: () => number
  /** A new handle, as another instance has one, on a ledger of that name, through a port of 127.0.0.1: the server's, or a proxy's. */
  readonly open: (port: number, ledger: string) => Promise<EventStore>
  /**
   * Whether what the server said tells the outcome of an append, so that by then the server has carried it out. Where nothing is
   * said, the first bytes do that it sends after a request of a block's size.
   */
  readonly tellsOutcome?: (exchange: Exchange) => boolean
}

const sizeFrom = (variable: string, standard: number): number => Number(process.env[variable] ?? standard)
const KILLS = sizeFrom('STORE_KILLS', 20)
const FREEZES = sizeFrom('STORE_FREEZES', 5)
const CUTS = sizeFrom('STORE_CUTS', 1_000)
/** More than one, so that conflicts are real and every wrong answer has a rival who profits. */
const WRITERS = 3
const FROZEN_MS = 5_000

/** How many outcomes were told once what the server had said before is no longer on its way, however busy the machine. */
const settled = async (load: StoreLoad): Promise<number> => {
  for (;;) {
    const before = load.acknowledged + load.conflicts
    await sleep(500)
    if (load.acknowledged + load.conflicts === before) return before
  }
}

/**
 * What every store across a network holds through the faults of its server and of the network, under load by several
 * instances: nothing that was acknowledged is lost, nothing is kept twice, and no append is answered before the truth is known.
 */
export const storeFaults = ({ server, port, open, tellsOutcome }: RemoteStore): void => {
  const begin = async (): Promise<{ proxy: TcpProxy; load: StoreLoad; verify: () => Promise<void> }> => {
    const ledger = randomUUID()
    const proxy = await TcpProxy.start(port())
    const stores: EventStore[] = []
    onTestFinished(async () => {
      await proxy.stop()
      await Promise.all(stores.map((store) => store.close()))
    })
    for (let count = 0; count <= WRITERS; count++) stores.push(await open(proxy.port, ledger))
    const load = new StoreLoad(stores)
    load.start()
    await load.progress(10)
    const verify = async (): Promise<void> => {
      const direct = await open(port(), ledger)
      stores.push(direct)
      await load.verify(direct)
    }
    return { proxy, load, verify }
  }

  test(`killed and started ${KILLS} times, the server has all that was acknowledged, once`, async () => {
    const { load, verify } = await begin()
    for (let kill = 0; kill < KILLS; kill++) {
      await load.progress(randomInt(1, 40))
      await server().kill9()
      await sleep(randomInt(200))
      await server().restart()
    }
    await load.progress(10)
    await verify()
  })

  test(`frozen for ${FROZEN_MS} ms ${FREEZES} times, nobody is answered meanwhile, and all goes on`, async () => {
    const { load, verify } = await begin()
    for (let freeze = 0; freeze < FREEZES; freeze++) {
      await load.progress(randomInt(1, 40))
      server().freeze()
      const before = await settled(load)
      await sleep(FROZEN_MS)
      expect(load.acknowledged + load.conflicts).toBe(before)
      server().thaw()
    }
    await load.progress(10)
    await verify()
  })

  test(`with ${CUTS} answers lost after the server had carried out what was asked, every outcome is the true one`, async () => {
    const { proxy, load, verify } = await begin()
    const told = tellsOutcome ?? (({ asked }) => asked >= LEAST_BLOCK_BYTES)
    let cuts = 0
    proxy.loses = (exchange) => {
      // Also what the store asks to find out is not always answered.
      if (!told(exchange)) return randomInt(50) === 0
      if (cuts >= CUTS || randomInt(2) === 0) return false
      cuts++
      return true
    }
    while (cuts < CUTS) await load.progress(1)
    proxy.loses = () => false
    await load.progress(10)
    await verify()
    expect(cuts).toBe(CUTS)
  })
}
