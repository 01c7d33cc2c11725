import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SqliteStore } from '../src/adapters/sqlite-store.js'
import { LedgerState } from '../src/adapters/state/ledger-state.js'
import type { Service } from '../src/application/service.js'
import type { Actor } from '../src/budget/commands.js'
import { parsePolicy } from '../src/budget/policy-request.js'
import { type Gate, openService } from '../src/composition.js'
import { readConfiguration } from '../src/configuration.js'
import { type Block, recordsOf } from '../src/ledger/block.js'
import { decodeRecord } from '../src/ledger/record.js'
import { checkAtStart, knownJournal, requireKnownJournal, type Standing } from '../src/recovery/start-check.js'
import { blocksOf, collect } from './support/logs.js'
import { MemoryTopics } from './support/memory-topics.js'
import { temporaryFolder } from './support/temporary-folder.js'

const emitter: Actor = { token: 'e', role: 'emitter', source: 'trainer' }
const cause = { kind: 'http' } as const
const { terms } = parsePolicy({
  id: 'person',
  scope: ['unit'],
  metric: 'pure',
  epsilon: '1',
  delta: '0',
  neighboring: 'add_or_remove_one',
  window: 'lifetime',
  role: 'guarantee',
})

const open = (data: string) => openService(readConfiguration({}, { data }))

/** The first operator sets a policy, and makes the emitter's token. */
const begin = async ({ ledger, state }: Service): Promise<void> => {
  const [token = ''] = state.registry.tokens.keys()
  const operator: Actor = { token, role: 'operator', source: 'operator' }
  const created = { token: emitter.token, role: 'emitter', source: emitter.source, hash: '', expiresAt: null } as const
  expect(await ledger.submit({ kind: 'set-policy', actor: operator, cause, terms })).toMatchObject({ kind: 'answered' })
  await ledger.submit({ kind: 'create-token', actor: operator, cause, created })
}

/** A ledger that was served twice: a copy of its log after the first time, and one spend more. */
const servedTwice = async (data: string): Promise<string> => {
  const first = await open(data)
  await begin(first)
  await first.close()
  copyFileSync(join(data, 'ledger.db'), join(data, 'older'))
  const second = await open(data)
  const wire = { id: '1', unit: 'u', mechanism: 'declared_pure', epsilon: '1' }
  expect(await second.ledger.request('spend', wire, emitter, cause)).toMatchObject({ kind: 'answered' })
  await second.close()
  return join(data, 'older')
}

test('an older log is not served, whatever became of the derived state', async () => {
  const data = temporaryFolder()
  copyFileSync(await servedTwice(data), join(data, 'ledger.db'))
  await expect(open(data)).rejects.toMatchObject({ code: 'STALE', exitCode: 21 })
  // As after a kill, when the derived state was flushed long ago.
  rmSync(join(data, 'state.db'))
  await expect(open(data)).rejects.toMatchObject({ code: 'STALE', exitCode: 21 })
})

test('a log that is gone is never begun anew', async () => {
  const data = temporaryFolder()
  await servedTwice(data)
  rmSync(join(data, 'ledger.db'))
  await expect(open(data)).rejects.toMatchObject({ code: 'LEDGER_LOST' })
})

/** A directory whose log was exchanged for `another`, with the state of its own ledger, but nothing that was seen. */
const exchanged = async (exchange: (log: string) => Promise<void>): Promise<string> => {
  const data = temporaryFolder()
  await servedTwice(data)
  for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm', 'seen']) rmSync(join(data, name), { force: true })
  await exchange(join(data, 'ledger.db'))
  return data
}

const emptyLog = (log: string): Promise<void> => SqliteStore.create(log).close()

test.each([
  ['an empty log', 'empty', emptyLog],
  [
    "another ledger's log",
    'that of ledger',
    async (log: string) => {
      const other = temporaryFolder()
      await (await open(other)).close()
      copyFileSync(join(other, 'ledger.db'), log)
    },
  ],
])('%s is not served beside the state of the ledger that was here', async (_, is, exchange) => {
  const data = await exchanged(exchange)
  const log = readFileSync(join(data, 'ledger.db'))
  // Twice: the first refusal must not have taken away what the second one goes by.
  for (const attempt of [1, 2]) {
    const refusal = open(data)
    await expect(refusal, `attempt ${attempt}`).rejects.toMatchObject({ code: 'LEDGER_LOST', exitCode: 3 })
    await expect(refusal).rejects.toThrow(`/state.db does not belong to its log, which is ${is}`)
  }
  expect(readFileSync(join(data, 'ledger.db')).equals(log)).toBe(true)
})

test('an empty log is not begun beside a state that nobody can read', async () => {
  const data = await exchanged(emptyLog)
  writeFileSync(join(data, 'state.db'), 'no database '.repeat(99))
  await expect(open(data)).rejects.toMatchObject({ code: 'LEDGER_LOST' })
})

test('a first start that ended before its first record is begun again', async () => {
  const data = temporaryFolder()
  await (await open(data)).close()
  const started = temporaryFolder()
  for (const name of ['signing.key', 'operator.token', 'approver.token']) {
    copyFileSync(join(data, name), join(started, name))
  }
  await emptyLog(join(started, 'ledger.db'))
  LedgerState.begin(join(started, 'state.db'), { ledger: 'never opened' }).close()
  writeFileSync(join(started, 'seen'), '')
  const service = await open(started)
  expect([...service.state.registry.tokens.values()].map(({ role }) => role)).toEqual(['operator', 'approver'])
  await service.close()
})

test('derived files that are gone or damaged are made again, and nothing is refunded', async () => {
  const data = temporaryFolder()
  await servedTwice(data)
  rmSync(join(data, 'seen'))
  const state = readFileSync(join(data, 'state.db'))
  state.fill(0x2a, 5_000, 6_000)
  writeFileSync(join(data, 'state.db'), state)
  const service = await open(data)
  const wire = { id: '2', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' }
  const outcome = await service.ledger.request('spend', wire, emitter, cause)
  expect(outcome).toMatchObject({ kind: 'answered', event: { type: 'SpendRefused' } })
  await service.close()
})

/** What a start with a journal does, over topics in memory. */
const gateOver = (topics: MemoryTopics): Gate & { standing?: Standing } => ({
  async atStart(ledger, store, repair) {
    if (ledger !== undefined)
      this.standing = await checkAtStart({ ledger, store, topics }, { ...repair, progress: () => {} })
  },
  async accept(state, head) {
    if (this.standing !== undefined) requireKnownJournal(this.standing, knownJournal(state, topics.journalName, head))
  },
})

const journalOf = async (path: string): Promise<MemoryTopics> => {
  const store = SqliteStore.open(path)
  const topics = new MemoryTopics()
  const blocks = await collect(store.read(0))
  const [first] = recordsOf(blocks[0] as Block)
  const { ledger } = decodeRecord(first?.bytes ?? Buffer.alloc(0)).data
  topics.put(String(ledger), ...blocks)
  await store.close()
  return topics
}

const openWith = (data: string, topics: MemoryTopics) => openService(readConfiguration({}, { data }), gateOver(topics))

test('an older log gets back from its journal what the newer files beside it have seen', async () => {
  const data = temporaryFolder()
  const older = await servedTwice(data)
  const topics = await journalOf(join(data, 'ledger.db'))
  copyFileSync(older, join(data, 'ledger.db'))
  const service = await openWith(data, topics)
  expect(service.epoch).toBe(1)
  const again = { id: '1', unit: 'u', mechanism: 'declared_pure', epsilon: '1' }
  expect(await service.ledger.request('spend', again, emitter, cause)).toMatchObject({ replayed: true })
  const more = await service.ledger.request('spend', { ...again, id: '2', epsilon: '0.1' }, emitter, cause)
  expect(more).toMatchObject({ event: { type: 'SpendRefused' }, receipt: { epoch: 1 } })
  await service.close()
  await (await openWith(data, topics)).close()
})

test.each(['seen', 'state.db'])(
  'no epoch is begun over records that %s has seen and that no journal has',
  async (file) => {
    const data = temporaryFolder()
    const older = await servedTwice(data)
    const topics = await journalOf(join(data, 'ledger.db'))
    const newest = await openWith(data, topics)
    const wire = { id: '2', unit: 'v', mechanism: 'declared_pure', epsilon: '0.1' }
    await newest.ledger.request('spend', wire, emitter, cause)
    const { seq } = newest.position()
    await newest.close()
    const messages = topics.messages.length
    copyFileSync(older, join(data, 'ledger.db'))
    rmSync(join(data, file === 'seen' ? 'state.db' : 'seen'))
    const refused = openWith(data, topics)
    await expect(refused).rejects.toMatchObject({ code: 'JOURNAL_RANGE_LOST', exitCode: 21 })
    await expect(refused).rejects.toThrow(`${file} has seen record ${seq}`)
    expect(topics.messages).toHaveLength(messages)
  },
)

/** What two people agree on: the journal begins anew. */
const agreeOnNewJournal = async (data: string, { journalName }: MemoryTopics): Promise<void> => {
  const alone = await open(data)
  const [operator = '', approver = ''] = alone.state.registry.tokens.keys()
  const place = { ...journalName, to: '0', cause }
  const reason = 'the brokers burnt down; this is the newest log'
  await alone.ledger.submit({
    kind: 'propose-reset',
    actor: { token: operator, role: 'operator', source: 'operator' },
    ...place,
    reason,
  })
  await alone.ledger.submit({
    kind: 'approve-reset',
    actor: { token: approver, role: 'approver', source: 'approver' },
    ...place,
  })
  await alone.close()
}

/** What the publisher records once the journal has the log. */
const noteJournal = async (service: Service, { journalName }: MemoryTopics, next: bigint): Promise<void> =>
  service.ledger.recordOffsets([{ ...journalName, next, digest: null }])

test('a log that knows of a journal is not served beside one that has nothing of it, until two people say so', async () => {
  const data = temporaryFolder()
  await servedTwice(data)
  const topics = await journalOf(join(data, 'ledger.db'))
  const service = await openWith(data, topics)
  await noteJournal(service, topics, 1n)
  await service.close()
  await expect(openWith(data, new MemoryTopics())).rejects.toMatchObject({ code: 'JOURNAL_REPLACED', exitCode: 21 })
  await agreeOnNewJournal(data, topics)
  const again = await openWith(data, new MemoryTopics())
  await noteJournal(again, topics, 1n)
  await again.close()
  await expect(openWith(data, new MemoryTopics())).rejects.toMatchObject({ code: 'JOURNAL_REPLACED' })
})

/** Somebody else's, of which the oldest messages were deleted. */
const shortened = (): MemoryTopics => {
  const topics = new MemoryTopics()
  topics.put('theirs', ...blocksOf(1, 1, 1, 1))
  topics.low = 2n
  return topics
}

test('a log is not served beside a shortened journal that has nothing of it, until two people say so', async () => {
  const data = temporaryFolder()
  await servedTwice(data)
  const refused = openWith(data, shortened())
  await expect(refused).rejects.toMatchObject({ code: 'JOURNAL_EMPTIED', exitCode: 21 })
  await expect(refused).rejects.toThrow('epsilon.journal had 4 messages')
  await agreeOnNewJournal(data, shortened())
  const service = await openWith(data, shortened())
  await noteJournal(service, shortened(), 5n)
  await service.close()
  // What they said holds until the log is in a journal again.
  await expect(openWith(data, shortened())).rejects.toMatchObject({ code: 'JOURNAL_EMPTIED' })
})
