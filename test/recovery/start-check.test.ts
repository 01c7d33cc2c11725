import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { type Block, type Position, positionOf, recordsOf } from '../../src/ledger/block.js'
import { ChainCheck } from '../../src/ledger/chain.js'
import { decodeRecord } from '../../src/ledger/record.js'
import { EPOCH_MARGIN } from '../../src/recovery/import-journal.js'
import { checkAtStart, checkWhileRunning, requireKnownJournal } from '../../src/recovery/start-check.js'
import { blockAfter, blockOfMessage, blocksOf, collect, epochAfter, instant } from '../support/logs.js'
import { MemoryTopics } from '../support/memory-topics.js'

const LEDGER = 'ours'
const OTHERS = blocksOf(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)

/** A ledger of ten blocks, all of them on its journal, and copies of it with fewer. */
const journalled = (blocks = blocksOf(3, 1, 2, 1, 1, 2, 1, 1, 1, 2)) => {
  const topics = new MemoryTopics()
  topics.put(LEDGER, ...blocks)
  return { topics, blocks }
}

const copyOf = async (blocks: readonly Block[], count = blocks.length): Promise<MemoryStore> => {
  const store = new MemoryStore()
  await store.append(blocks.slice(0, count), undefined)
  return store
}

interface Options {
  readonly seen?: Position
}

const start = (store: MemoryStore, topics: MemoryTopics, { seen }: Options = {}) =>
  checkAtStart(
    { ledger: LEDGER, store, topics },
    { seen: { position: seen, path: 'data/seen' }, stamp: (lastAt) => lastAt, progress: () => {} },
  )

/** Starts, and expects that everything journalled is in the log then. */
const expectCurrent = async (store: MemoryStore, topics: MemoryTopics): Promise<void> => {
  const { journalled, high } = await start(store, topics)
  const block = await store.blockOf(journalled?.seq ?? -1)
  expect(block && positionOf(block)).toEqual(journalled)
  expect(high).toBe(BigInt(topics.messages.length))
}

/** Starts, and expects that nothing was brought back. */
const expectCurrentBeside = async (store: MemoryStore, topics: MemoryTopics): Promise<void> => {
  const { journalled } = await start(store, topics)
  expect(await store.head()).toEqual(journalled)
  expect(recordsIn(await collect(store.read(0))).filter(({ type }) => type === 'GapDeclared')).toEqual([])
}

const NOT_JOURNALLED = { journalled: undefined }

const last = <Item>(items: readonly Item[]): Item => items.at(-1) as Item

/** Blocks of one record each that follow a block: one send of a publisher has up to 64. */
const blocksAfter = (before: Block, count: number, note = 'late'): readonly Block[] => {
  const blocks = [before]
  for (let index = 0; index < count; index++) blocks.push(blockAfter(positionOf(last(blocks)), 1, note))
  return blocks.slice(1)
}

const recordsIn = (blocks: readonly Block[]) =>
  blocks.flatMap((block) => [...recordsOf(block)].map(({ bytes }) => decodeRecord(bytes)))

/** Every byte of the log, checked as a chain from its beginning. */
const logOf = async (store: MemoryStore): Promise<readonly Block[]> => {
  const blocks = await collect(store.read(0))
  const chain = new ChainCheck()
  for (const block of blocks) chain.add(block)
  chain.end((await store.head())?.leaf)
  return blocks
}

const refusal = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error as { readonly code: string; readonly message: string; readonly exitCode: number }
}

describe('a log that has all that was journalled', () => {
  test('is current, and so is one that has more', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks)
    await expectCurrent(store, topics)
    await store.append([blockAfter(positionOf(last(blocks)), 2)], positionOf(last(blocks)))
    await expectCurrent(store, topics)
    expect(await checkWhileRunning({ ledger: LEDGER, store, topics })).toEqual({
      journalled: positionOf(last(blocks)),
      high: BigInt(blocks.length),
    })
    expect(await collect(store.read(0))).toHaveLength(blocks.length + 1)
    expect(topics.messages).toHaveLength(blocks.length)
  })

  test('is current whatever repeats of it the journal has', async () => {
    const { topics, blocks } = journalled()
    topics.put(LEDGER, ...blocks.slice(6), ...blocks.slice(4, 8))
    await expectCurrent(await copyOf(blocks), topics)
  })

  test('is known as not journalled where the journal never had anything, or others alone', async () => {
    const topics = new MemoryTopics()
    const store = await copyOf(OTHERS)
    expect(await start(store, topics)).toMatchObject(NOT_JOURNALLED)
    topics.put('theirs', ...OTHERS)
    expect(await start(store, topics)).toMatchObject(NOT_JOURNALLED)
  })

  test('is compared without reading a long journal from its beginning', async () => {
    const blocks = blocksOf(...Array.from({ length: 20_000 }, () => 1))
    const { topics } = journalled(blocks)
    await expectCurrent(await copyOf(blocks), topics)
    expect(topics.read).toBeLessThan(700)
  })

  test('is current while another instance of the ledger goes on with log, journal and decisions', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks)
    let at = positionOf(last(blocks))
    topics.onLook = async () => {
      const block = blockAfter(at, 1)
      at = await store.append([block], at)
      topics.put(LEDGER, block)
      topics.decided = at.seq
    }
    await expectCurrentBeside(store, topics)
    expect(await checkWhileRunning({ ledger: LEDGER, store, topics })).toMatchObject({ journalled: at })
    expect(await collect(store.read(0))).toHaveLength(blocks.length + 4)
  })

  test('is not held up by the block of a process that it has overtaken', async () => {
    const { topics, blocks } = journalled()
    const epoch = epochAfter(positionOf(last(blocks)), 1, 5_000)
    topics.put(LEDGER, epoch, ...blocksAfter(last(blocks), 64))
    await expectCurrent(await copyOf([...blocks, epoch]), topics)
  })
})

describe('an older copy', () => {
  test('gets every missing block byte for byte, and a new epoch above every number that was given out', async () => {
    for (let count = 1; count < 10; count++) {
      const { topics, blocks } = journalled()
      topics.spends = [
        { topic: 'epsilon.spends', partition: 0, high: 77n },
        { topic: 'epsilon.spends', partition: 1, high: 0n },
      ]
      const store = await copyOf(blocks, count)
      await expectCurrent(store, topics)
      const log = await logOf(store)
      expect(log.slice(0, -1)).toEqual(blocks)
      const [gap] = recordsIn(log.slice(-1))
      const seq = last(blocks).last + 1 + EPOCH_MARGIN
      expect(gap).toMatchObject({ type: 'GapDeclared', seq, epoch: 1, by: 'system:ledger', cause: { kind: 'system' } })
      expect(gap?.data).toMatchObject({
        from: last(blocks).last + 1,
        to: seq - 1,
        undecided: [{ topic: 'epsilon.spends', partition: 0, before: '77' }],
      })
      expect(last(topics.messages).block).toEqual(last(log))
      await expectCurrent(store, topics)
    }
  })

  test('goes back far, past repeats and the blocks of others, without reading all of them', async () => {
    const blocks = blocksOf(...Array.from({ length: 12_000 }, () => 1))
    const { topics } = journalled(blocks.slice(0, 11_000))
    topics.put(LEDGER, ...blocks.slice(10_990, 11_000))
    topics.put('theirs', ...OTHERS)
    topics.put(LEDGER, ...blocks.slice(11_000))
    const store = await copyOf(blocks, 6_000)
    await expectCurrent(store, topics)
    expect((await logOf(store)).slice(0, -1)).toEqual(blocks)
    expect(topics.read).toBeLessThan(20_000)
  })

  test.each([1, 3])(
    'is found, though eight instances that lagged have ended the journal with what it has, %i times each',
    async (times) => {
      const blocks = blocksOf(...Array.from({ length: 2_000 }, () => 1))
      const { topics } = journalled(blocks)
      for (let instance = 0; instance < 8; instance++) {
        const sent = blocks.slice(instance * 64, instance * 64 + 64)
        for (let time = 0; time < times; time++) topics.put(LEDGER, ...sent)
      }
      const store = await copyOf(blocks, 1_000)
      await expectCurrent(store, topics)
      expect((await logOf(store)).slice(0, -1)).toEqual(blocks)
    },
  )

  test('has the messages charged of every partition that its records name, whichever instance takes it now', async () => {
    const [first] = blocksOf(1) as [Block]
    const inLog = blockOfMessage(positionOf(first), 1)
    const elsewhere = blockOfMessage(positionOf(inLog), 3, 'other.spends')
    const inJournal = blockOfMessage(positionOf(elsewhere), 2)
    const blocks = [first, inLog, elsewhere, inJournal, blockAfter(positionOf(inJournal), 1)]
    const { topics } = journalled(blocks)
    topics.spends = [0, 1, 2, 3].map((partition) => {
      const end = { topic: 'epsilon.spends', partition, high: 7n }
      return partition === 0 ? end : { ...end, isElsewhere: true as const }
    })
    const store = await copyOf(blocks, 3)
    await expectCurrent(store, topics)
    const [gap] = recordsIn(await collect(store.read(0))).filter(({ type }) => type === 'GapDeclared')
    expect(gap?.data['undecided']).toEqual(
      [0, 1, 2].map((partition) => ({ topic: 'epsilon.spends', partition, before: '7' })),
    )
  })

  test('takes the clock of the new epoch from whoever starts it, never before its last record', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks, 4)
    const stamps: string[] = []
    const stamp = (lastAt: string): string => {
      stamps.push(lastAt)
      return instant(10_000)
    }
    const repair = { seen: { position: undefined, path: '' }, stamp, progress: () => {} }
    await checkAtStart({ ledger: LEDGER, store, topics }, repair)
    expect(stamps).toEqual([last(recordsIn(blocks)).at])
    expect(last(recordsIn(await logOf(store))).at).toBe(instant(10_000))
  })

  test('says what it brings back', async () => {
    const { topics, blocks } = journalled()
    const lines: string[] = []
    const repair = {
      seen: { position: undefined, path: '' },
      stamp: (lastAt: string) => lastAt,
      progress: (line: string) => lines.push(line),
    }
    await checkAtStart({ ledger: LEDGER, store: await copyOf(blocks, 4), topics }, repair)
    expect(lines[0]).toBe('the log ends with record 6 and its journal with record 14: bringing back the rest')
    expect(last(lines)).toContain('records up to 14 are back')
  })

  test('begins its epoch above the numbers of an epoch that somebody else had declared in vain', async () => {
    const { topics, blocks } = journalled()
    const lost = epochAfter(positionOf(blocks[6] as Block), 1, 5_000)
    topics.put(LEDGER, lost)
    const store = await copyOf(blocks, 4)
    await start(store, topics)
    expect(last(recordsIn(await logOf(store)))).toMatchObject({ epoch: 2, seq: lost.last + 1 + EPOCH_MARGIN })
  })

  test('is only named while the service runs, so that a start brings it up', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks, 4)
    const error = await refusal(checkWhileRunning({ ledger: LEDGER, store, topics }))
    expect(error).toMatchObject({ code: 'STALE', exitCode: 21, retry: 'after-restart' })
    expect(error.message).toContain('ends with record 6, but its journal goes on to record 14')
    expect(await collect(store.read(0))).toHaveLength(4)
  })
})

describe('a restore beside a process that still writes', () => {
  test('takes in what that process journalled before the epoch, and overtakes it', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks, 4)
    const late = blockAfter(positionOf(last(blocks)), 2)
    let times = 0
    topics.onAppend = () => {
      if (times++ === 0) topics.put(LEDGER, late)
    }
    await expectCurrent(store, topics)
    const log = await logOf(store)
    expect(log.slice(0, -1)).toEqual([...blocks, late])
    expect(last(recordsIn(log))).toMatchObject({ type: 'GapDeclared', epoch: 2 })
    const overtaken = await copyOf([...blocks, late, blockAfter(positionOf(late), 1, 'unheard')])
    expect(await refusal(start(overtaken, topics))).toMatchObject({ code: 'FORKED', exitCode: 22 })
  })

  test('the process that took the place goes on as before', async () => {
    const { topics, blocks } = journalled()
    const late = blockAfter(positionOf(last(blocks)), 2)
    topics.put(LEDGER, late, epochAfter(positionOf(last(blocks)), 1, 5_000))
    await expectCurrent(await copyOf([...blocks, late]), topics)
  })

  test('a copy of the same epoch that wrote beside it is overtaken too, and an older one follows the first', async () => {
    const { topics, blocks } = journalled()
    const first = blocksAfter(last(blocks), 3, 'first')
    const second = blocksAfter(last(blocks), 64, 'second')
    topics.put(LEDGER, ...first, ...second)
    await expectCurrent(await copyOf([...blocks, ...first]), topics)
    expect(await refusal(start(await copyOf([...blocks, ...second]), topics))).toMatchObject({ code: 'FORKED' })
    const store = await copyOf(blocks, 4)
    await expectCurrent(store, topics)
    expect((await logOf(store)).slice(0, -1)).toEqual([...blocks, ...first])
  })

  test('ends where that process never stops', async () => {
    const { topics, blocks } = journalled()
    let end = positionOf(last(blocks))
    topics.onAppend = () => {
      const late = blockAfter(end, 1)
      end = positionOf(late)
      topics.put(LEDGER, late)
    }
    expect(await refusal(start(await copyOf(blocks, 4), topics))).toMatchObject({ code: 'FENCED', exitCode: 11 })
  })

  test('does not follow whoever has overtaken it in turn', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks, 4)
    const journal = topics.journal.bind(topics)
    topics.journal = (ledger) => {
      const real = journal(ledger)
      const append = real.append.bind(real)
      real.append = async (block) => {
        await append(block)
        topics.put(LEDGER, epochAfter(positionOf(block), 9, block.last + 10))
      }
      return real
    }
    expect(await refusal(start(store, topics))).toMatchObject({ code: 'FENCED', exitCode: 11 })
    expect((await store.head())?.seq).toBeLessThan(last(blocks).last)
  })
})

describe('what nobody can bring back', () => {
  test('the oldest messages are gone: the lost records are named', async () => {
    const { topics, blocks } = journalled()
    topics.low = 6n
    const error = await refusal(start(await copyOf(blocks, 4), topics))
    expect(error).toMatchObject({ code: 'JOURNAL_RANGE_LOST', exitCode: 21 })
    expect(error.message).toContain('records 7 to 9 are lost')
    await expectCurrent(await copyOf(blocks, 6), topics)
  })

  test('a block in the middle never came', async () => {
    const { topics, blocks } = journalled()
    topics.messages.splice(6, 1)
    const store = await copyOf(blocks, 4)
    const error = await refusal(start(store, topics))
    expect(error).toMatchObject({ code: 'JOURNAL_RANGE_LOST' })
    expect(error.message).toContain('record 10 ')
    expect(await collect(store.read(0))).toHaveLength(4)
  })

  test('the journal was emptied, and nobody has said that it begins anew', async () => {
    const { topics, blocks } = journalled()
    topics.low = BigInt(topics.messages.length)
    const standing = await start(await copyOf(blocks, 4), topics)
    expect(standing).toEqual({ journalled: undefined, high: 10n, isShortened: true })
    const known = { topic: 'epsilon.journal', had: 0n, isAgreed: false, head: 6 }
    const error = await refusal((async () => requireKnownJournal(standing, known))())
    expect(error).toMatchObject({ code: 'JOURNAL_EMPTIED', exitCode: 21 })
    expect(error.message).toContain('records after 6')
    requireKnownJournal(standing, { ...known, isAgreed: true })
    expect(() => requireKnownJournal(standing, { ...known, isAgreed: true, had: 3n })).toThrow('had 10 messages')
  })

  test('decisions were published that no journal has', async () => {
    const { topics, blocks } = journalled(blocksOf(1, 1, 1, 1, 1, 1))
    topics.messages.splice(4)
    topics.decided = 5
    const error = await refusal(start(await copyOf(blocks, 3), topics))
    expect(error).toMatchObject({ code: 'DECISIONS_BEYOND_JOURNAL', exitCode: 21 })
    expect(error.message).toContain('records 4 to 5 are lost')
    topics.messages.splice(0)
    expect(await refusal(start(await copyOf(blocks, 3), topics))).toMatchObject({ code: 'DECISIONS_BEYOND_JOURNAL' })
    expect(await start(await copyOf(blocks, 6), topics)).toMatchObject(NOT_JOURNALLED)
  })

  test('somebody was answered from a record that no journal has', async () => {
    const { topics, blocks } = journalled()
    const seen = { ...positionOf(last(blocks)), seq: last(blocks).last + 2 }
    const store = await copyOf(blocks, 4)
    const error = await refusal(start(store, topics, { seen }))
    expect(error).toMatchObject({ code: 'JOURNAL_RANGE_LOST', exitCode: 21 })
    expect(error.message).toContain('records 15 to 16 are lost')
    expect(await collect(store.read(0))).toHaveLength(4)
  })

  test('two processes have gone on from one copy', async () => {
    const { topics, blocks } = journalled()
    const before = positionOf(blocks[4] as Block)
    const store = await copyOf([...blocks.slice(0, 5), blockAfter(before, 1, 'other')])
    const error = await refusal(start(store, topics))
    expect(error).toMatchObject({ code: 'FORKED', exitCode: 22 })
    expect(error.message).toContain("the journal's message 5 has another record 8")
    expect(await collect(store.read(0))).toHaveLength(6)
    expect(topics.messages).toHaveLength(blocks.length)
  })

  test.each([
    ['nothing', 0],
    ['blocks of others', 640 - 56],
    ['repeats of the epoch', 128],
    ['repeats of the epoch', 640 - 22],
    ['repeats of what follows it', 128],
    ['repeats of what follows it', 640 - 22],
  ])('the blocks of a process that was overtaken say the same, with %s behind them: %i', async (behind, times) => {
    const { topics, blocks } = journalled()
    const epoch = epochAfter(positionOf(last(blocks)), 1, 5_000)
    const next = blockAfter(positionOf(epoch), 1, 'next', 1)
    const late = blocksAfter(last(blocks), 64)
    topics.put(LEDGER, epoch, next, ...late)
    // The short look begins with or within the late blocks, which the logs below have as their own.
    for (let time = 0; time < times; time++) {
      if (behind === 'blocks of others') topics.put('theirs', ...blocksOf(1))
      else topics.put(LEDGER, behind === 'repeats of the epoch' ? epoch : next)
    }
    for (const count of [1, 2, 50, 64]) {
      for (const alone of [[], blocksAfter(late[count - 1] as Block, 3)]) {
        const store = await copyOf([...blocks, ...late.slice(0, count), ...alone])
        expect(await refusal(start(store, topics))).toMatchObject({ code: 'FORKED', exitCode: 22 })
      }
    }
  })

  test('a damaged block', async () => {
    const { topics, blocks } = journalled(blocksOf(1, 3, 3, 3))
    const { block } = topics.messages[2] as { block: Block }
    const bytes = Buffer.from(block.bytes)
    bytes[bytes.indexOf('\n') + 30] = 0x58
    topics.messages[2] = { ledger: LEDGER, epoch: 0, block: { ...block, bytes } }
    const store = await copyOf(blocks, 1)
    expect(await refusal(start(store, topics))).toMatchObject({ code: 'JOURNAL_DAMAGED', exitCode: 20 })
  })
})

describe('a start that is interrupted', () => {
  const reasons = ['lost', 'kept', 'twice'] as const

  test.each(reasons)('where the epoch is %s on the journal, the next one makes good', async (fate) => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks, 4)
    topics.plan.push(fate)
    if (fate === 'twice') await expectCurrent(store, topics)
    else {
      await expect(start(store, topics)).rejects.toThrow('the connection broke')
      await expectCurrent(store, topics)
    }
    const log = await logOf(store)
    expect(log.slice(0, blocks.length)).toEqual(blocks)
    const [gap] = recordsIn(log.slice(-1))
    expect(gap).toMatchObject({ type: 'GapDeclared', epoch: fate === 'kept' ? 2 : 1 })
    await expectCurrent(store, topics)
  })

  test('before the log has the epoch, the copy is still older', async () => {
    const { topics, blocks } = journalled()
    const store = await copyOf(blocks, 4)
    const append = store.append.bind(store)
    store.append = async (added, after) => {
      if (recordsIn(added).some(({ type }) => type === 'GapDeclared')) throw new Error('the power went off')
      return append(added, after)
    }
    await expect(start(store, topics)).rejects.toThrow('the power went off')
    store.append = append
    expect((await store.head())?.seq).toBeLessThan(last(blocks).last)
    await expectCurrent(store, topics)
    expect(last(recordsIn(await logOf(store)))).toMatchObject({ type: 'GapDeclared', epoch: 2 })
  })
})
