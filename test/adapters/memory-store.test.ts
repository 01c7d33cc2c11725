import { MemoryStore } from '../../src/adapters/memory-store.js'
import { storeContract } from './event-store.contract.js'

storeContract(() => new MemoryStore())
