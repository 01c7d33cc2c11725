import {
  AccessDeniedError,
  DeadlineExceededError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  UnavailableError,
  UnknownError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { eventOf } from '../../../src/adapters/eventstore-db/block-event.js'
import { type Block, positionOf } from '../../../src/ledger/block.js'
import { blockAfter, blocksOf, collect } from '../../support/logs.js'
import { useKurrent } from './use-kurrent.js'

const server = useKurrent()
afterEach(() => vi.restoreAllMocks())

/** For tests in which it runs out. */
const SHORT = { patienceMs: 2_000 }
/** For those in which a third of it does: then nobody waits for that answer any longer. */
const SHORTER = { patienceMs: 6_000 }

/** The next append of this process is answered so, instead of or beside being carried out. */
const answerOnce = (answer: (send: () => Promise<unknown>) => Promise<never>) => {
  const { client } = server()
  const send = client.appendToStream.bind(client)
  return vi.spyOn(client, 'appendToStream').mockImplementationOnce((...call) => answer(() => send(...call)))
}

const unclear: readonly (readonly [string, () => Error])[] = [
  ['UnavailableError', () => new UnavailableError()],
  ['UnknownError', () => new UnknownError()],
  ['DeadlineExceededError, with its empty message', () => new DeadlineExceededError()],
  ['"Server Is Not Ready"', () => new UnknownError(undefined, 'Could not recognize Server Is Not Ready')],
  ['a plain error of gRPC, without a type', () => Object.assign(new Error('14 UNAVAILABLE'), { code: 14 })],
  ['an error that nobody foresaw', () => new TypeError('undefined is not iterable')],
]

describe.each(unclear)('an append that ends with %s', (_, error) => {
  test('and was not carried out is made again, the same in every bit', async () => {
    const { store, head, next } = await server().begun()
    const append = answerOnce(() => Promise.reject(error()))
    expect(await store.append([next], head)).toEqual(positionOf(next))
    expect(append.mock.calls).toHaveLength(2)
    expect(append.mock.calls[1]).toEqual(append.mock.calls[0])
    expect(await collect(store.read(2))).toHaveLength(1)
  })

  test('and was carried out is there once', async () => {
    const { store, head, next } = await server().begun()
    answerOnce(async (send) => {
      await send()
      throw error()
    })
    expect(await store.append([next], head)).toEqual(positionOf(next))
    expect(await collect(store.read(2))).toHaveLength(1)
    expect(await store.head()).toEqual(positionOf(next))
  })

  test('while somebody else has appended is a conflict, and nothing of it is kept', async () => {
    const { store, head, next, stream } = await server().begun()
    const rival = blockAfter(head, 1, 'rival')
    const { client } = server()
    const send = client.appendToStream.bind(client)
    answerOnce(async () => {
      await send(stream, eventOf(stream, rival), { expectedRevision: 0n })
      throw error()
    })
    await expect(store.append([next], head)).rejects.toMatchObject({
      code: 'APPEND_CONFLICT',
      head: positionOf(rival),
    })
    expect((await collect(store.read(2))).map(({ leaf }) => leaf)).toEqual([rival.leaf])
  })
})

describe('an append without an end', () => {
  test('that is never answered is made again after a while', async () => {
    const { store, head, next } = await server().begun(SHORTER)
    const append = answerOnce(async (send) => {
      await send()
      return new Promise<never>(() => {})
    })
    expect(await store.append([next], head)).toEqual(positionOf(next))
    expect(append.mock.calls).toHaveLength(1)
  })

  test('whose truth nobody tells is APPEND_UNCERTAIN, and the store takes no more', async () => {
    const { store, head, next } = await server().begun(SHORT)
    vi.spyOn(server().client, 'appendToStream').mockRejectedValue(new DeadlineExceededError())
    const error = await store.append([next], head).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'APPEND_UNCERTAIN', retry: 'after-restart', exitCode: 3 })
    expect(String(error)).toMatch(
      /records 2 to 3 may or may not have been kept by kurrentdb:\/\/[\w.:-]+: deadline-exceeded/,
    )
    vi.restoreAllMocks()
    await expect(store.append([next], head)).rejects.toBe(error)
    expect(await store.head()).toEqual(head)
  })

  test('with a client that never answers again is APPEND_UNCERTAIN as well', async () => {
    const { store, head, next } = await server().begun(SHORT)
    vi.spyOn(server().client, 'appendToStream').mockImplementation(() => new Promise(() => {}))
    await expect(store.append([next], head)).rejects.toMatchObject({ code: 'APPEND_UNCERTAIN' })
  })

  test('does not hold up the appends of others for longer than that', async () => {
    const [one, two] = [await server().begun(SHORT), await server().begun()]
    const { client } = server()
    const send = client.appendToStream.bind(client)
    vi.spyOn(client, 'appendToStream').mockImplementation((name, ...rest) =>
      name === one.stream ? new Promise(() => {}) : send(name, ...rest),
    )
    const outcomes = await Promise.allSettled([
      one.store.append([one.next], one.head),
      two.store.append([two.next], two.head),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })
})

describe('a version that the server names', () => {
  const wrongVersion = (streamName: string, current: bigint | 'no_stream') =>
    new WrongExpectedVersionError(undefined as never, { streamName, expected: 0n, current })

  test('is only a hint: where the leader shows nothing there, the append is made again', async () => {
    const { store, head, next, stream } = await server().begun()
    answerOnce(() => Promise.reject(wrongVersion(stream, 7n)))
    expect(await store.append([next], head)).toEqual(positionOf(next))
  })

  test('where the leader shows this very block, it is kept', async () => {
    const { store, head, next, stream } = await server().begun()
    answerOnce(async (send) => {
      await send()
      throw wrongVersion(stream, 1n)
    })
    expect(await store.append([next], head)).toEqual(positionOf(next))
  })

  test('that is never shown ends as a stream that was cut, and not with endless repeats', async () => {
    const store = await server().open(SHORT)
    const name = 'epsilon-x-0'
    vi.spyOn(server().client, 'appendToStream').mockRejectedValue(wrongVersion(name, 41n))
    await expect(store.append(blocksOf(1), undefined)).rejects.toMatchObject({
      code: 'STREAM_TRUNCATED',
      message: expect.stringContaining('the server counts up to revision 41, and shows nothing there'),
    })
  })

  test('other than the one that the block should have is a stream that was deleted', async () => {
    const { client } = server()
    const store = await server().open()
    const append = client.appendToStream.bind(client)
    vi.spyOn(client, 'appendToStream').mockImplementationOnce(async (...call) => ({
      ...(await append(...call)),
      nextExpectedRevision: 2n,
    }))
    await expect(store.append(blocksOf(1), undefined)).rejects.toMatchObject({
      code: 'STREAM_DELETED',
      message: expect.stringContaining('block 0 became revision 2'),
    })
  })

  test('after which the block before is gone: somebody has put back an older copy, and that is a conflict', async () => {
    const { store, head, next, stream } = await server().begun()
    await store.append([next], head)
    const reads = vi.spyOn(server().client, 'appendToStream')
    reads.mockRejectedValue(wrongVersion(stream, 0n))
    const third = blockAfter(positionOf(next), 1)
    const { reader } = server()
    const read = reader.readStream.bind(reader)
    vi.spyOn(reader, 'readStream').mockImplementation((name, options, ...rest) =>
      read(name, options?.fromRevision === 1n ? { ...options, fromRevision: 5n } : options, ...rest),
    )
    await expect(store.append([third], positionOf(next))).rejects.toMatchObject({ code: 'APPEND_CONFLICT' })
  })
})

describe('an answer that is definite', () => {
  test('a user who may not append: STORE_REFUSED, at once', async () => {
    const { store, head, next } = await server().begun()
    const append = answerOnce(() => Promise.reject(new AccessDeniedError()))
    await expect(store.append([next], head)).rejects.toMatchObject({ code: 'STORE_REFUSED', exitCode: 3 })
    expect(append.mock.calls).toHaveLength(1)
  })

  test('a server that takes less than a block: STORE_REFUSED with both numbers', async () => {
    const { store, head, next } = await server().begun()
    answerOnce(() => Promise.reject(MaxAppendSizeExceededError.fromMaxAppendSize(200)))
    await expect(store.append([next], head)).rejects.toMatchObject({
      code: 'STORE_REFUSED',
      message: expect.stringContaining(`takes 200 bytes in an append, and block 1 has ${next.bytes.length}`),
    })
  })

  test('"forbidden" after an unclear one says nothing of that one: what was carried out is kept', async () => {
    const { store, head, next } = await server().begun()
    const { client } = server()
    const send = client.appendToStream.bind(client)
    const gone = new UnavailableError()
    vi.spyOn(client, 'appendToStream')
      .mockRejectedValueOnce(gone)
      .mockImplementationOnce(async (...call) => {
        await send(...call)
        throw new AccessDeniedError()
      })
    expect(await store.append([next], head)).toEqual(positionOf(next))
  })

  test('a stream that the server calls deleted, though the leader shows it: STREAM_DELETED', async () => {
    const { store, head, next, stream } = await server().begun()
    answerOnce(() => Promise.reject(StreamDeletedError.fromStreamName(stream)))
    await expect(store.append([next], head)).rejects.toMatchObject({ code: 'STREAM_DELETED' })
  })
})

test('the first block is read back before anybody is answered: a deleted stream takes it too', async () => {
  const store = await server().open()
  const { client } = server()
  vi.spyOn(client, 'appendToStream').mockResolvedValue({ success: true, nextExpectedRevision: 0n })
  await expect(store.append([blocksOf(1)[0] as Block], undefined)).rejects.toMatchObject({
    code: 'STREAM_DELETED',
    message: expect.stringContaining('block 0 was taken, and cannot be read'),
  })
})
