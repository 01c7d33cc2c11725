import { KurrentStore } from '../../../src/adapters/eventstore-db/kurrent-store.js'
import { blocksOf } from '../../support/logs.js'

/** Uses a store in every way, closes it, and does nothing more: then the process has to end by itself. */
const [url = '', ledger = ''] = process.argv.slice(2)
const store = await KurrentStore.open({ url, ledger })
await store.append(blocksOf(1, 1), undefined)
for await (const _ of store.read(0)) break
for await (const _ of store.subscribe(0, new AbortController().signal)) break
const waiting = store.subscribe(2, new AbortController().signal)[Symbol.asyncIterator]().next()
await store.close()
console.log(JSON.stringify({ ended: (await waiting).done }))
