import { randomUUID } from 'node:crypto'
import type { EventStoreDBClient } from '@eventstore/db-client'
import { afterAll, beforeAll } from 'vitest'
import { streamName } from '../../../src/adapters/eventstore-db/block-event.js'
import { type ClientLease, leaseClient } from '../../../src/adapters/eventstore-db/client.js'
import { readAddress } from '../../../src/adapters/eventstore-db/kurrent-address.js'
import { type KurrentOptions, KurrentStore } from '../../../src/adapters/eventstore-db/kurrent-store.js'
import { positionOf } from '../../../src/ledger/block.js'
import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { blockAfter, blocksOf, collect } from '../../support/logs.js'

/** A server for the tests of one file, and stores on it. */
export class KurrentInUse {
  private readonly stores: KurrentStore[] = []
  private leased: ClientLease | undefined

  constructor(
    readonly url: string,
    /** Undefined where the server is somebody's own. */
    readonly double: KurrentDouble | undefined,
  ) {}

  /** A store on a ledger of its own, or on the one that is named. */
  async open(options: Partial<KurrentOptions> = {}): Promise<KurrentStore> {
    const store = await KurrentStore.open({ url: this.url, ledger: randomUUID(), ...options })
    this.stores.push(store)
    return store
  }

  /** A ledger of one block, and the next one. What the store is to have little patience with comes after that. */
  async begun(options: Partial<KurrentOptions> = {}) {
    const ledger = randomUUID()
    const [first] = blocksOf(2)
    if (first === undefined) throw new Error('one block was asked for')
    await (await this.open({ ledger })).append([first], undefined)
    const store = await this.open({ ledger, ...options })
    // It knows the head, as after an append of its own.
    await collect(store.read(0))
    const head = positionOf(first)
    return { ledger, store, first, head, next: blockAfter(head, 2), stream: streamName(ledger, 0) }
  }

  /** The very client that the stores append with: a process has only one. */
  get client(): EventStoreDBClient {
    return this.lease.appends
  }

  /** The one that they read with. */
  get reader(): EventStoreDBClient {
    return this.lease.reads
  }

  private get lease(): ClientLease {
    this.leased ??= leaseClient(readAddress({ url: this.url }))
    return this.leased
  }

  async end(): Promise<void> {
    await Promise.all(this.stores.map((store) => store.close()))
    await this.leased?.release()
    await this.double?.stop()
  }
}

/** The server that `EPSILON_TEST_KURRENTDB_URL` names, or else a double of one. */
export const useKurrent = (): (() => KurrentInUse) => used(() => process.env['EPSILON_TEST_KURRENTDB_URL'])

/** A double, for what no server of somebody's own can be told to do. */
export const useDouble = (): (() => KurrentInUse & { readonly double: KurrentDouble }) =>
  used(() => undefined) as () => KurrentInUse & { readonly double: KurrentDouble }

const used = (given: () => string | undefined): (() => KurrentInUse) => {
  let inUse: KurrentInUse | undefined
  beforeAll(async () => {
    const url = given()
    const double = url === undefined ? await KurrentDouble.start() : undefined
    // Some tests ask the client itself, which asks nothing again: a machine that stands still for a moment is not to break its connection.
    inUse = new KurrentInUse(url ?? `${(double as KurrentDouble).url}&keepAliveTimeout=20000`, double)
  })
  afterAll(() => inUse?.end())
  return () => {
    if (inUse === undefined) throw new Error('the server is there from the first test on')
    return inUse
  }
}
