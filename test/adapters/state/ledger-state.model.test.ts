import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cost } from '../../../src/accounting/units.js'
import { LedgerState } from '../../../src/adapters/state/ledger-state.js'
import type { StatePosition } from '../../../src/adapters/state/state-position.js'
import { Draft } from '../../../src/budget/draft.js'
import type { SpendPart } from '../../../src/budget/events.js'
import { activePolicies } from '../../../src/budget/evolve-registry.js'
import type { Attribute } from '../../../src/budget/policy.js'
import { emptyRegistry, type Registry } from '../../../src/budget/registry.js'
import type { BudgetState, Held, PartitionOffset } from '../../../src/budget/state.js'
import { policyTerms } from '../../budget/test-ledger.js'
import { NaiveState } from '../../support/naive-state.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

/** `RUNS=5000 npx vitest run test/adapters/state` is the long form. */
const RUNS = Number(process.env['RUNS'] ?? 30)

interface Kind {
  readonly policy: string
  readonly generation: number
  readonly scope: readonly Attribute[]
  readonly rows: number
  readonly windowed: boolean
  readonly keys: readonly string[]
}

const UNITS = ['ada', 'bob', 'zoë', '名前', 'a\u{1f600}', 'x'.repeat(256)]
const PAIRS = UNITS.flatMap((unit) => ['eve', 'mallory'].map((analyst) => JSON.stringify([unit, analyst])))
const KINDS: readonly Kind[] = [
  { policy: 'person', generation: 1, scope: ['unit'], rows: 1, windowed: false, keys: UNITS },
  { policy: 'person', generation: 2, scope: ['unit'], rows: 3, windowed: false, keys: UNITS },
  { policy: 'pair', generation: 1, scope: ['unit', 'analyst'], rows: 2, windowed: false, keys: PAIRS },
  { policy: 'daily', generation: 1, scope: ['unit', 'analyst'], rows: 1, windowed: true, keys: PAIRS.slice(0, 2) },
  { policy: 'set', generation: 1, scope: ['dataset'], rows: 10, windowed: true, keys: ['ada', 'census', '[]'] },
]

const REGISTRY: Registry = (() => {
  const ids = new Set(KINDS.map(({ policy }) => policy))
  const policies = new Map(
    [...ids].map((id) => {
      const versions = KINDS.filter(({ policy }) => policy === id).map(({ generation, scope }, index) => ({
        ...policyTerms({ id, scope }),
        version: index + 1,
        generation,
      }))
      return [id, { versions, active: 1, proposal: null, last: versions.length, changes: [] }] as const
    }),
  )
  return { ...emptyRegistry, ledger: 'ledger', policies, active: activePolicies(policies) }
})()

/** A state, what it must be, and what its file must be. */
interface Model {
  readonly path: string
  readonly folder: string
  state: LedgerState
  now: NaiveState
  kept: NaiveState
  position: StatePosition | undefined
  seq: number
}

type Step = (model: Model) => void

const both =
  (change: (state: BudgetState, seq: number) => void): Step =>
  (model) => {
    model.seq++
    change(model.state, model.seq)
    change(model.now, model.seq)
  }

const cost: fc.Arbitrary<Cost> = fc.oneof(
  fc.constant(0n),
  fc.bigInt(0n, 10n ** 16n),
  fc.bigInt(10n ** 15n - 2n, 10n ** 15n + 2n),
  fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
  fc.bigInt(0n, 2n ** 63n - 2n),
  fc.constant<Cost>('INF'),
)

/** A cost for several budgets of one kind; windows come and go, and now and then a record of an earlier one comes late. */
const held: fc.Arbitrary<Held> = fc.constantFrom(...KINDS).chain(({ policy, generation, keys, rows, windowed }) =>
  fc
    .tuple(
      fc.array(cost, { minLength: rows, maxLength: rows }),
      fc.subarray([...keys]),
      fc.constantFrom('2026-01-05', '2026-01-06', '2026-01-07'),
    )
    .map(([costs, some, window]) => ({
      policy,
      generation,
      version: 1,
      window: windowed ? window : 'lifetime',
      cost: costs,
      keys: some,
    })),
)

/** Takes back, from each budget on its own, a part of what is reserved there. */
const takeBack =
  (charge: Held, parts: bigint): Step =>
  (model) => {
    for (const key of charge.keys) {
      const balance = model.now.balance({ ...charge, key })
      if (balance === undefined) continue
      const { finite, infinite } = balance.reserved
      const part = finite.map((sum, row): Cost => ((infinite[row] ?? 0) > 0 ? 'INF' : least(sum / parts)))
      both((state) => state.move({ ...charge, window: balance.window, cost: part, keys: [key] }, 'unreserve'))(model)
    }
  }

const least = (sum: bigint): bigint => (sum < 2n ** 63n - 2n ? sum : 2n ** 63n - 2n)

const id = fc.nat(8).map((number) => `r${number}`)
const at = fc.nat(20).map((seconds) => new Date(Date.UTC(2026, 0, 5, 0, 0, seconds)).toISOString())

const changes: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 16,
    arbitrary: fc
      .tuple(held, fc.constantFrom('spend', 'reserve'))
      .map(([charge, movement]) => both((state) => state.move(charge, movement as 'spend' | 'reserve'))),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(held, fc.bigInt(1n, 3n)).map(([charge, parts]) => takeBack(charge, parts)),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom('request', 'close'), id, fc.integer({ min: 0, max: 2 ** 34 })).map(
      ([family, name, jump]): Step =>
        (model) => {
          model.seq += jump
          both((state, seq) => state.rememberKey(family as 'request' | 'close', 'trainer', name, seq))(model)
        },
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...UNITS), fc.boolean()).map(([unit, twice]) =>
      both((state, seq) => {
        state.rememberUnits(twice ? [unit, unit] : [unit], seq)
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(id, at, fc.bigInt(0n, 10n ** 30n)).map(([name, expiresAt, amount]) =>
      both((state, seq) =>
        state.openReservation({
          source: 'trainer',
          id: name,
          seq,
          hash: 'h',
          expiresAt,
          units: ['ada'],
          held: [
            { policy: 'pair', version: 1, generation: 1, window: 'lifetime', cost: ['INF', amount], keys: ['k"ey'] },
          ],
        }),
      ),
    ),
  },
  { weight: 2, arbitrary: id.map((name) => both((state) => state.closeReservation('trainer', name))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('SpendAccepted', 'SpendPart').map((type) => both((state) => state.count(type))),
  },
  {
    weight: 2,
    arbitrary: fc.constant(both((state, seq) => state.rememberViolation(seq))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('spends', 'a b'), fc.nat(2), fc.bigInt(0n, 2n ** 63n), fc.boolean())
      .map(([topic, partition, next, known]) =>
        both((state) => state.setOffset(topic, partition, { next, digest: known ? 'd'.repeat(32) : null })),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 3, 700).map((count): Step => {
      const add = both((state, seq) => state.setUnresolved({ seq, dismissal: null }))
      return (model) => {
        for (let index = 0; index < count; index++) add(model)
      }
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(3000), fc.constantFrom(1, 800), fc.boolean()).map(([from, count, dismiss]): Step => {
      return ({ state, now }) => {
        for (const { seq } of now.quarantine({ after: -1, limit: 1e6 }).slice(from, from + count)) {
          for (const each of [state, now]) {
            if (dismiss) each.setUnresolved({ seq, dismissal: { reason: `no spend ${from}`, proposedBy: 'ü' } })
            else each.resolve(seq)
          }
        }
      }
    }),
  },
  {
    weight: 1,
    arbitrary: fc.nat(3).map((count) =>
      both((state) => {
        state.pending = Array.from({ length: count }, (_, part) => ({
          source: 's',
          id: 'i',
          part,
          units: ['ü'],
          dropped: [],
        }))
      }),
    ),
  },
)

/** Moves over a draft, which says what they come to before it is committed, and leaves no trace where it is not. */
const drafted = (moves: readonly (readonly [Held, 'spend' | 'reserve'])[], isCommitted: boolean): Step => {
  return (model) => {
    const draft = new Draft(model.state)
    const after = model.now.copy()
    for (const [charge, movement] of moves) {
      for (const state of [draft, after]) state.move(charge, movement)
      for (const key of charge.keys) expectBudget(draft, after, charge, key)
    }
    if (!isCommitted) return
    draft.commit()
    model.now = after
  }
}

const flush: Step = (model) => {
  const { seq, state } = model
  const position = { epoch: 0, block: seq, seq, leaf: seq.toString(16).padStart(64, '0') }
  expectFileToBe(model, model.kept, model.position)
  state.flush(position)
  model.kept = model.now.copy()
  model.position = position
  expectFileToBe(model, model.kept, model.position)
}

const reopen: Step = (model) => {
  model.state.close()
  model.state = LedgerState.open(model.path, { ledger: 'ledger' })
  // Nothing was ever flushed: the caller begins from nothing.
  if (model.position === undefined) model.state.registry = REGISTRY
  model.now = model.kept.copy()
}

/** A flush that fails after it has written almost everything. */
const failedFlush: Step = ({ state, now, seq }) => {
  state.pending = [{ part: 1n } as unknown as SpendPart]
  expect(() => state.flush({ epoch: 0, block: 0, seq, leaf: '' })).toThrow('not written')
  state.pending = now.pending
}

const steps = fc.oneof(
  { weight: 20, arbitrary: changes },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.array(fc.tuple(held, fc.constantFrom('spend' as const, 'reserve' as const)), { maxLength: 6 }),
        fc.boolean(),
      )
      .map(([moves, isCommitted]) => drafted(moves, isCommitted)),
  },
  { weight: 3, arbitrary: fc.constant(flush) },
  { weight: 1, arbitrary: fc.constant(reopen) },
  { weight: 1, arbitrary: fc.constant(failedFlush) },
)

test('the state is what plain maps say, and its file what they said at the last flush, whatever happens in between', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 80 }), (sequence) => {
      const folder = temporaryFolder()
      const path = join(folder, 'state.db')
      const naive = new NaiveState()
      naive.registry = REGISTRY
      const model: Model = {
        path,
        folder,
        state: LedgerState.open(path, { ledger: 'ledger' }),
        now: naive,
        kept: naive.copy(),
        position: undefined,
        seq: 0,
      }
      model.state.registry = REGISTRY
      for (const step of sequence) {
        step(model)
        expectSame(model.state, model.now)
      }
      flush(model)
      reopen(model)
      expectSame(model.state, model.now)
      model.state.close()
    }),
    { numRuns: RUNS },
  )
})

test('a state without a file is what plain maps say', () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 80 }), (sequence) => {
      const naive = new NaiveState()
      naive.registry = REGISTRY
      const model: Model = {
        path: '',
        folder: '',
        state: LedgerState.memory(),
        now: naive,
        kept: naive,
        position: undefined,
        seq: 0,
      }
      model.state.registry = REGISTRY
      for (const step of sequence) step(model)
      expectSame(model.state, model.now)
    }),
    { numRuns: RUNS },
  )
})

let copies = 0

/** What a process that starts now would find, had this one been killed. */
const expectFileToBe = ({ path, folder }: Model, kept: NaiveState, position: StatePosition | undefined): void => {
  const other = join(folder, `copy-${copies++}.db`)
  for (const suffix of ['', '-wal', '-journal']) {
    if (existsSync(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${other}${suffix}`)
  }
  const found = LedgerState.open(other, { ledger: 'ledger' })
  expect(found.rebuilt).toBeUndefined()
  expect(found.position).toEqual(position)
  if (position !== undefined) expectSame(found, kept)
  found.close()
}

const expectSame = (state: LedgerState, naive: NaiveState): void => {
  expect(state.registry).toEqual(naive.registry)
  expect(state.pending).toEqual(naive.pending)
  expect([...state.counts()].sort()).toEqual([...naive.counts()].sort())
  for (const kind of KINDS) {
    for (const key of kind.keys) {
      expectBudget(state, naive, kind, key)
      const balance = state.balance({ ...kind, key })
      if (!kind.windowed) expect(balance?.spent).toBe(balance?.lifetime)
    }
  }
  for (const unit of [...UNITS, 'nobody']) {
    expect(sortedRefs(state.unitBudgets(unit))).toEqual(sortedRefs(naive.unitBudgets(unit)))
    for (const page of [{ limit: 1000 }, { after: 40, limit: 3 }, { after: 2 ** 33, limit: 1 }]) {
      expect(state.unitHistory(unit, page)).toEqual(naive.unitHistory(unit, page))
    }
  }
  expect(state.violationCount).toBe(naive.violationCount)
  for (const after of [-1, 30, 2 ** 33, ...naive.violations({ limit: 4 })]) {
    for (const limit of [2, 1000])
      expect(state.violations({ after, limit })).toEqual(naive.violations({ after, limit }))
  }
  const open = naive.openReservations().sort(bySeq)
  expect(state.openReservationCount).toBe(open.length)
  for (const { after = -1, limit } of [{ limit: 1000 }, { after: 40, limit: 3 }]) {
    const page = open.filter(({ seq }) => seq > after).slice(0, limit)
    expect(state.openReservations({ after, limit })).toEqual(page)
  }
  for (const topic of ['spends', 'a b']) {
    for (const partition of [0, 1, 2]) expect(state.offset(topic, partition)).toEqual(naive.offset(topic, partition))
  }
  expect([...state.offsets()].sort(byName)).toEqual([...naive.offsets()].sort(byName))
  expect(state.unresolvedCount).toBe(naive.unresolvedCount)
  for (const page of [
    { after: -1, limit: 1e6 },
    { after: 40, limit: 3 },
    { after: 900, limit: 1200 },
  ]) {
    expect(state.quarantine(page)).toEqual(naive.quarantine(page))
  }
  for (let seq = 0; seq < 40; seq++) expect(state.unresolved(seq)).toEqual(naive.unresolved(seq))
  for (const second of ['00', '05', '20']) {
    for (const limit of [0, 1, 3, 100]) {
      const instant = `2026-01-05T00:00:${second}.000Z`
      expect(state.overdue(instant, limit)).toEqual(naive.overdue(instant, limit))
    }
  }
  for (let number = 0; number < 9; number++) {
    expect(state.reservation('trainer', `r${number}`)).toEqual(naive.reservation('trainer', `r${number}`))
    for (const family of ['request', 'close'] as const) {
      const found = [...state.candidates(family, 'trainer', `r${number}`)].sort((one, other) => one - other)
      expect(found).toEqual(naive.candidates(family, 'trainer', `r${number}`))
    }
  }
}

const expectBudget = (
  state: BudgetState,
  naive: NaiveState,
  { policy, generation }: Pick<Kind, 'policy' | 'generation'>,
  key: string,
): void => {
  const rows = KINDS.find((kind) => kind.policy === policy && kind.generation === generation)?.rows ?? 0
  const ref = { policy, generation, key }
  expect(state.balance(ref)).toEqual(naive.balance(ref))
  for (const window of ['lifetime', '2026-01-05', '2026-01-06']) {
    const [taken, plain] = [state.taken(ref, window), naive.taken(ref, window)]
    for (let row = 0; row < rows; row++) expect(taken(row)).toBe(plain(row))
  }
}

const bySeq = (one: { readonly seq: number }, other: { readonly seq: number }): number => one.seq - other.seq

const byName = (one: PartitionOffset, other: PartitionOffset): number =>
  `${one.topic} ${one.partition}` < `${other.topic} ${other.partition}` ? -1 : 1

const sortedRefs = (refs: ReturnType<NaiveState['unitBudgets']>): readonly string[] =>
  refs.map(({ policy, generation, key }) => JSON.stringify([policy, generation, key])).sort()
