import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/application/ledger.js'
import type { Actor } from '../../src/budget/commands.js'
import type { TokenCreated } from '../../src/budget/events.js'
import type { Cause } from '../../src/ledger/record.js'
import { policyTerms } from '../budget/test-ledger.js'
import { forged, type LooseRecord } from '../support/forge.js'
import { messageAt, Scenario } from '../support/scenario.js'
import { verifiedLines } from '../support/verified.js'

/** `RUNS=2000 npx vitest run test/recovery/authority.property.test.ts` is the long form. */
const RUNS = Number(process.env['RUNS'] ?? 300)

const HTTP: Cause = { kind: 'http' }
const ROLES = ['emitter', 'auditor', 'operator', 'approver'] as const

interface Model {
  readonly ledger: Scenario
  /** Everybody who ever had a token, and some who never had. */
  readonly actors: Actor[]
  readonly attempts: Attempt[]
  next: number
  /** Offset of the next message of the topic. */
  offset: number
  consumed: Promise<void>
  /** The record of the last quarantined message. */
  quarantined: number
}

/** What somebody tried over HTTP, and what became of it. */
interface Attempt {
  readonly actor: Actor
  readonly outcome: Outcome
}

type Step = (model: Model) => Promise<unknown>

/** A request by whoever it may be, over HTTP. */
const tries =
  (who: number, ask: Ask): Step =>
  async (model) => {
    const actor = model.actors[who % model.actors.length]!
    const outcome = await ask(model.ledger, actor, `r${model.next++}`, model.quarantined)
    // What is answered from an earlier record was not decided now.
    if (outcome.kind !== 'answered' || !outcome.replayed) model.attempts.push({ actor, outcome })
  }

type Ask = (ledger: Scenario, actor: Actor, id: string, quarantined: number) => Promise<Outcome>

const COST = { mechanism: 'declared_pure', epsilon: '0.01' }
const spend = (id: string) => ({ id, unit: 'u', ...COST })

const MANY = Array.from({ length: 120 }, (_, index) => `many ${index}`)
const PLACE = { topic: 'epsilon.spends', partition: 0, to: '0', cause: HTTP } as const

const ASKED: readonly Ask[] = [
  (ledger, actor, id) => ledger.spend(spend(id), actor),
  (ledger, actor, id) => ledger.report(spend(id), actor),
  (ledger, actor, id) => ledger.reserve({ ...spend(id), expiresInSeconds: 1 }, actor),
  (ledger, actor) => ledger.settle('r0', { count: '1' }, actor),
  (ledger, actor) => ledger.release('r1', 'nothing ran', actor),
  (ledger, actor, id) => ledger.submit({ kind: 'set-policy', actor, cause: HTTP, terms: policyTerms({ id }) }),
  (ledger, actor) => ledger.submit({ kind: 'approve-policy', actor, cause: HTTP, id: 'person', version: 2 }),
  (ledger, actor) =>
    ledger.submit({
      kind: 'set-policy',
      actor,
      cause: HTTP,
      terms: policyTerms({ id: 'person', epsilon: '9' }),
      replaces: 1,
    }),
  (ledger, actor) => ledger.submit({ kind: 'halt', actor, cause: HTTP, scope: { unit: ['v'] }, reason: 'audit' }),
  (ledger, actor) => ledger.submit({ kind: 'resume', actor, cause: HTTP, scope: { unit: ['v'] }, reason: 'done' }),
  (ledger, actor, _, quarantined) =>
    ledger.submit({ kind: 'propose-dismissal', actor, cause: HTTP, quarantined, reason: 'a test' }),
  (ledger, actor, _, quarantined) => ledger.submit({ kind: 'approve-dismissal', actor, cause: HTTP, quarantined }),
  (ledger, actor) => ledger.submit({ kind: 'propose-reset', actor, ...PLACE, reason: 'retention' }),
  (ledger, actor) => ledger.submit({ kind: 'approve-reset', actor, ...PLACE }),
  (ledger, actor, id, quarantined) => ledger.chargeQuarantined(quarantined, spend(id), actor),
  (ledger, actor, id, quarantined) => ledger.chargeQuarantined(quarantined, { id, units: MANY, ...COST }, actor),
  (ledger, actor) => ledger.submit({ kind: 'confirm-clock', actor, cause: HTTP, reason: 'looked at it' }),
]

const createdBy = (role: Actor['role'], source: string, lastsMs: number | null, who: number | null): Step => {
  return async (model) => {
    const token = `t${model.next++}`
    const { ledger, actors } = model
    const expiresAt = lastsMs === null ? null : new Date(Date.parse(ledger.at) + lastsMs).toISOString()
    const actor: Actor = { token, role, source }
    if (who === null) await ledger.token(actor, expiresAt)
    else {
      const created = { token, role: role as TokenCreated['role'], source, hash: 'ab'.repeat(32), expiresAt }
      await tries(who, (_, by) => ledger.submit({ kind: 'create-token', actor: by, cause: HTTP, created }))(model)
    }
    actors.push(actor)
  }
}

const consume = async (model: Model, source: string, readable: boolean): Promise<void> => {
  const offset = model.offset++
  const actor: Actor = { token: '', role: 'emitter', source }
  if (readable) await model.ledger.spend(spend(`m${offset}`), actor, messageAt(offset))
  else model.quarantined = await model.ledger.quarantine(messageAt(offset))
}

const who = fc.nat(30)
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(who, fc.constantFrom(...ASKED)).map(([actor, ask]) => tries(actor, ask)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...ROLES),
        fc.constantFrom('trainer', 'operator', 'approver'),
        fc.option(fc.integer({ min: 1, max: 12 })),
        fc.option(who),
      )
      .map(([role, source, lastsMs, by]) => createdBy(role, source, lastsMs, by)),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(who, fc.option(who)).map(
      ([victim, by]): Step =>
        (model) => {
          const { token } = model.actors[victim % model.actors.length]!
          if (by === null) return model.ledger.revoke(token)
          return tries(by, (ledger, actor) => ledger.submit({ kind: 'revoke-token', actor, cause: HTTP, token }))(model)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('trainer', 'sensor'), fc.boolean()).map(([source, readable]): Step => {
      return (model) => {
        // A consumer takes one message after the other.
        model.consumed = model.consumed.then(() => consume(model, source, readable))
        return model.consumed
      }
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>(({ ledger }) => ledger.expire()) },
)

/** What happens at one instant, all at once; then so many milliseconds pass. */
const instants = fc.array(fc.tuple(fc.array(steps, { minLength: 1, maxLength: 8 }), fc.integer({ min: 0, max: 6 })), {
  maxLength: 14,
  size: 'max',
})

type Instants = typeof instants extends fc.Arbitrary<infer Value> ? Value : never

const lived = async (happened: Instants): Promise<Model> => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person' })
  const known: readonly Actor[] = ROLES.filter((role) => role !== 'auditor').map((role) => {
    const source = role === 'emitter' ? 'trainer' : role
    return { token: `${role}-1`, role, source }
  })
  const nobody: Actor = { token: 'never made', role: 'emitter', source: 'trainer' }
  const impostor: Actor = { token: 'emitter-1', role: 'operator', source: 'operator' }
  const model: Model = {
    ledger,
    actors: [...known, nobody, impostor],
    attempts: [],
    next: 0,
    offset: 0,
    consumed: Promise.resolve(),
    quarantined: 0,
  }
  for (const [asked, ms] of happened) {
    await Promise.all(asked.map((step) => step(model)))
    ledger.clock.pass(ms)
  }
  return model
}

const recordsOf = async (ledger: Scenario): Promise<readonly LooseRecord[]> =>
  (await ledger.lines()).map((line) => JSON.parse(line) as LooseRecord)

/** Tokens as the records before `seq` leave them, counted without any code of the program. */
const tokensBefore = (records: readonly LooseRecord[], seq: number): ReadonlyMap<string, TokenCreated> => {
  const tokens = new Map<string, TokenCreated>()
  for (const { type, data } of records.slice(0, seq)) {
    if (type === 'TokenCreated') tokens.set(data.token, data)
    if (type === 'TokenRevoked') tokens.delete(data.token)
  }
  return tokens
}

const seen = { recorded: 0, refused: 0, revoked: 0, expired: 0 }

test('whatever the service records, verify finds that whoever asked had a token, good to the millisecond', async () => {
  await fc.assert(
    fc.asyncProperty(instants, async (happened) => {
      const { ledger, attempts } = await lived(happened)
      const { fault } = verifiedLines(await ledger.bytes())
      expect(fault).toBeUndefined()
      const records = await recordsOf(ledger)
      for (const { actor, outcome } of attempts) {
        if (outcome.kind === 'answered') expectGood(records, actor, outcome.receipt.seq)
        else if (outcome.code === 'UNAUTHENTICATED') {
          seen.refused++
          if (outcome.detail.includes('revoked')) seen.revoked++
          if (outcome.detail.includes('expired')) seen.expired++
        }
      }
    }),
    { numRuns: RUNS },
  )
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(RUNS / 20)
})

const expectGood = (records: readonly LooseRecord[], actor: Actor, seq: number): void => {
  seen.recorded++
  const record = records[seq]!
  const token = tokensBefore(records, seq).get(actor.token)
  expect(token).toMatchObject({ role: actor.role, source: actor.source })
  expect(token?.expiresAt === null || Date.parse(token?.expiresAt ?? '') > Date.parse(record.at)).toBe(true)
  expect(record.by).toBe(`${actor.role}:${actor.source}`)
}

test('of any record over HTTP, verify finds that every token of its asker had ended at that instant', async () => {
  await fc.assert(
    fc.asyncProperty(instants, fc.nat(), fc.boolean(), async (happened, choice, byExpiry) => {
      const { ledger } = await lived(happened)
      const records = (await recordsOf(ledger)).filter(({ cause }) => cause['kind'] === 'http')
      const chosen = records[choice % records.length]!
      // What ends by the clock ends before the first record of that instant.
      const victim = records.find(({ by, at }) => byExpiry && by === chosen.by && at === chosen.at) ?? chosen
      const own = [...tokensBefore(await recordsOf(ledger), victim.seq).values()].filter(
        ({ role, source }) => `${role}:${source}` === victim.by,
      )
      const bytes = forged(await ledger.lines(), (forgery) => {
        if (byExpiry) expireAt(forgery, own, victim.at)
        else forgery.splice(victim.seq, 0, ...own.map(({ token }) => revocation(forgery, token, victim.at)))
      })
      const seq = byExpiry ? victim.seq : victim.seq + own.length
      expect(verifiedLines(bytes).fault).toMatchObject({ code: 'NOT_AUTHORISED', seq })
    }),
    { numRuns: RUNS },
  )
})

const expireAt = (records: readonly LooseRecord[], tokens: readonly TokenCreated[], at: string): void => {
  for (const { type, data } of records) {
    if (type === 'TokenCreated' && tokens.some(({ token }) => token === data.token)) data.expiresAt = at
  }
}

/** As the command line writes it on a stopped ledger. */
const revocation = (records: readonly LooseRecord[], token: string, at: string): LooseRecord => ({
  ...records[0]!,
  at,
  by: 'system:cli',
  cause: { kind: 'cli' },
  type: 'TokenRevoked',
  data: { token },
})
