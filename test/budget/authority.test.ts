import { expect, test } from 'vitest'
import type { Actor, Command } from '../../src/budget/commands.js'
import type { Verdict } from '../../src/budget/context.js'
import type { Cause } from '../../src/ledger/record.js'
import { messageAt } from '../support/scenario.js'
import { approver, emitter, onDirectory, operator, policyTerms, system, TestLedger } from './test-ledger.js'

/** A report that an operator makes for a quarantined message is another errand than an emitter's. */
type Kind = Command['kind'] | 'charge'

const auditor: Actor = { token: 'auditor', role: 'auditor', source: 'auditor' }
const { actor: cli } = onDirectory
/** What a consumer of a topic says: the source is that of the message, and there is no token. */
const topic: Actor = { token: '', role: 'emitter', source: 'trainer' }
const HTTP = { kind: 'http' } as const
const CAUSES: readonly Cause[] = [HTTP, { kind: 'cli' }, { kind: 'system' }, messageAt(12)]

const pure = { mechanism: 'declared_pure', epsilon: '0.1' }

/** A ledger in which each kind of command finds what it needs. */
const prepared = (): TestLedger => {
  const ledger = new TestLedger()
  ledger.token(auditor)
  ledger.token({ token: 'victim', role: 'emitter', source: 'victim' })
  ledger.policy({ id: 'person' })
  ledger.policy({ id: 'person', epsilon: '2' }, 1)
  ledger.request('reserve', { id: 'r', unit: 'u', ...pure, expiresInSeconds: 60 })
  const message = { reason: 'JSON_INVALID', detail: 'no JSON', bytes: 3, key: null }
  ledger.submit({ kind: 'quarantine', actor: system, cause: messageAt(0), message })
  const quarantined = quarantinedIn(ledger)
  ledger.submit({ kind: 'propose-dismissal', actor: operator, cause: HTTP, quarantined, reason: 'a test' })
  ledger.submit({ kind: 'propose-reset', actor: operator, cause: HTTP, ...PLACE, reason: 'retention' })
  return ledger
}

const PLACE = { topic: 'epsilon.spends', partition: 0, to: '9' } as const

const quarantinedIn = ({ log }: TestLedger): number =>
  log.find(({ event }) => event.type === 'MessageQuarantined')?.seq ?? -1

/** Every kind of command, as it would be recorded if anybody may ask for it. */
const ASK: { readonly [kind in Kind]: (ledger: TestLedger, actor: Actor, cause: Cause) => Verdict } = {
  spend: (ledger, actor, cause) => ledger.request('spend', { id: '1', unit: 'u', ...pure }, actor, cause),
  report: (ledger, actor, cause) => ledger.request('report', { id: '1', unit: 'u', ...pure }, actor, cause),
  reserve: (ledger, actor, cause) =>
    ledger.request('reserve', { id: '1', unit: 'u', ...pure, expiresInSeconds: 60 }, actor, cause),
  settle: (ledger, actor, cause) => ledger.settle('r', { count: 1 }, actor, cause),
  release: (ledger, actor, cause) => ledger.release('r', actor, cause),
  'set-policy': (ledger, actor, cause) =>
    ledger.submit({ kind: 'set-policy', actor, cause, terms: policyTerms({ id: 'other' }) }),
  'remove-policy': (ledger, actor, cause) => ledger.submit({ kind: 'remove-policy', actor, cause, id: 'person' }),
  'approve-policy': (ledger, actor, cause) =>
    ledger.submit({ kind: 'approve-policy', actor, cause, id: 'person', version: 2 }),
  halt: (ledger, actor, cause) => ledger.submit({ kind: 'halt', actor, cause, scope: null, reason: 'audit' }),
  resume: (ledger, actor, cause) => {
    ledger.submit({ kind: 'halt', actor: operator, cause: HTTP, scope: null, reason: 'audit' })
    return ledger.submit({ kind: 'resume', actor, cause, scope: null, reason: 'done' })
  },
  'create-token': (ledger, actor, cause) => {
    const created = { token: 'new', role: 'auditor', source: 's', hash: 'h', expiresAt: null } as const
    return ledger.submit({ kind: 'create-token', actor, cause, created })
  },
  'revoke-token': (ledger, actor, cause) => ledger.submit({ kind: 'revoke-token', actor, cause, token: 'victim' }),
  'confirm-clock': (ledger, actor, cause) => ledger.submit({ kind: 'confirm-clock', actor, cause, reason: 'looked' }),
  charge: (ledger, actor, cause) =>
    ledger.chargeQuarantined(quarantinedIn(ledger), { id: 'q', unit: 'u', ...pure }, actor, cause),
  invalid: (ledger, actor, cause) => {
    const named = { source: 'trainer', id: 'i', request: 'spend', status: 422, code: 'INVALID', detail: 'x' } as const
    return ledger.submit({ kind: 'invalid', actor, cause, invalid: named })
  },
  quarantine: (ledger, actor, cause) => {
    const message = { reason: 'JSON_INVALID', detail: 'no JSON', bytes: 3, key: null }
    return ledger.submit({ kind: 'quarantine', actor, cause, message })
  },
  'record-offsets': (ledger, actor, cause) =>
    ledger.submit({ kind: 'record-offsets', actor, cause, topic: 'other', partition: 0, next: '7', digest: null }),
  'propose-dismissal': (ledger, actor, cause) =>
    ledger.submit({ kind: 'propose-dismissal', actor, cause, quarantined: quarantinedIn(ledger), reason: 'a test' }),
  'approve-dismissal': (ledger, actor, cause) =>
    ledger.submit({ kind: 'approve-dismissal', actor, cause, quarantined: quarantinedIn(ledger) }),
  'propose-reset': (ledger, actor, cause) =>
    ledger.submit({ kind: 'propose-reset', actor, cause, ...PLACE, reason: 'retention' }),
  'approve-reset': (ledger, actor, cause) => ledger.submit({ kind: 'approve-reset', actor, cause, ...PLACE }),
  expire: (ledger, actor, cause) => {
    ledger.at = '2026-01-05T00:02:00.000Z'
    return ledger.submit({ kind: 'expire', actor, cause })
  },
  'open-ledger': (ledger, actor, cause) => ledger.submit({ kind: 'open-ledger', actor, cause, ledger: 'l' }),
}

const UNTOUCHED = prepared().log

const KINDS = Object.keys(ASK) as readonly Kind[]

const EMITTERS: readonly Kind[] = ['spend', 'report', 'reserve', 'settle', 'release']
const OPERATORS: readonly Kind[] = ['set-policy', 'remove-policy', 'halt', 'resume', 'confirm-clock', 'charge']
const PROPOSALS: readonly Kind[] = ['propose-dismissal', 'propose-reset']
const APPROVALS: readonly Kind[] = ['approve-policy', 'approve-dismissal', 'approve-reset']
const TOKENS: readonly Kind[] = ['create-token', 'revoke-token']

/** Who may ask for what, and how. Everything else is nobody's. */
const ALLOWED: readonly (readonly [actor: Actor, cause: Cause['kind'], kinds: readonly Kind[]])[] = [
  [emitter, 'http', EMITTERS],
  [operator, 'http', [...OPERATORS, ...PROPOSALS, ...TOKENS]],
  [approver, 'http', APPROVALS],
  [auditor, 'http', []],
  [emitter, 'kafka', [...EMITTERS, 'invalid']],
  [topic, 'kafka', [...EMITTERS, 'invalid']],
  [system, 'kafka', ['quarantine']],
  [cli, 'cli', TOKENS],
  [system, 'system', ['expire', 'open-ledger', 'record-offsets']],
]

const ACTORS = [...new Set(ALLOWED.map(([actor]) => actor))]

const codeOf = (verdict: Verdict): string => (verdict.kind === 'rejected' ? verdict.code : verdict.kind)

test.each(KINDS)('%s is for its own askers and ways alone, and nobody else leaves a record', (kind) => {
  for (const cause of CAUSES) {
    for (const actor of ACTORS) {
      const ledger = prepared()
      const allowed = ALLOWED.some(([who, how, kinds]) => who === actor && how === cause.kind && kinds.includes(kind))
      const name = `${actor.role}:${actor.source} with token "${actor.token}" through ${cause.kind}`
      const verdict = ASK[kind](ledger, actor, cause)
      const withoutToken = cause.kind === 'http' && actor.token === ''
      expect(codeOf(verdict), name).toBe(allowed ? 'recorded' : withoutToken ? 'UNAUTHENTICATED' : 'FORBIDDEN')
      if (!allowed) expect(ledger.log.filter(({ event }) => event.type !== 'Halted')).toEqual(UNTOUCHED)
    }
  }
})

/** Who asks for each kind over HTTP. */
const OVER_HTTP = ALLOWED.filter(([, how]) => how === 'http').flatMap(([actor, , kinds]) =>
  kinds.map((kind) => [kind, actor] as const),
)

test.each(OVER_HTTP)('%s with a token that was revoked at the same instant is not authenticated', (kind, actor) => {
  const ledger = prepared()
  ledger.revoke(actor.token)
  const before = ledger.log.length
  const verdict = ASK[kind](ledger, actor, HTTP)
  expect(verdict).toMatchObject({ code: 'UNAUTHENTICATED', detail: expect.stringContaining('revoked') })
  expect(ledger.log).toHaveLength(before)
})

test.each(OVER_HTTP)('%s is heard until the instant at which the token expires', (kind, { role, source }) => {
  const actor = { token: 'short', role, source }
  const at = (instant: string) => {
    const ledger = prepared()
    ledger.token(actor, '2026-01-05T00:00:30.000Z')
    ledger.at = instant
    return codeOf(ASK[kind](ledger, actor, HTTP))
  }
  expect(at('2026-01-05T00:00:29.999Z')).toBe('recorded')
  expect(at('2026-01-05T00:00:30.000Z')).toBe('UNAUTHENTICATED')
})

test('a token is its own role and source, and nobody else', () => {
  for (const [token, role, source] of [
    ['nobody', 'emitter', 'trainer'],
    ['', 'emitter', 'trainer'],
    ['emitter', 'emitter', 'somebody'],
    ['auditor', 'emitter', 'trainer'],
    ['operator', 'emitter', 'operator'],
  ] as const) {
    const ledger = prepared()
    expect(codeOf(ASK.spend(ledger, { token, role, source }, HTTP))).toBe('UNAUTHENTICATED')
    expect(ledger.log).toEqual(UNTOUCHED)
  }
})

test('the answer that a request got is repeated to a good token alone', () => {
  const ledger = prepared()
  const ask = () => ASK.spend(ledger, emitter, HTTP)
  expect(codeOf(ask())).toBe('recorded')
  expect(codeOf(ask())).toBe('replayed')
  ledger.revoke(emitter.token)
  expect(codeOf(ask())).toBe('UNAUTHENTICATED')
  ledger.token({ ...emitter, token: 'second' })
  expect(codeOf(ASK.spend(ledger, { ...emitter, token: 'second' }, HTTP))).toBe('replayed')
})

test("nobody makes their own second person: approvers' tokens are an approver's business", () => {
  const created = { token: 't', role: 'approver', source: 's', hash: 'h', expiresAt: null } as const
  const create = { kind: 'create-token', cause: HTTP, created } as const
  const revoke = { kind: 'revoke-token', cause: HTTP, token: 't' } as const
  const ledger = new TestLedger()
  expect(codeOf(ledger.submit({ ...create, actor: operator }))).toBe('FORBIDDEN')
  expect(codeOf(ledger.submit({ ...create, actor: approver }))).toBe('recorded')
  expect(codeOf(ledger.submit({ ...revoke, actor: operator }))).toBe('FORBIDDEN')
  expect(codeOf(ledger.submit({ ...revoke, actor: approver }))).toBe('recorded')
  expect(codeOf(ledger.submit({ ...revoke, token: emitter.token, actor: approver }))).toBe('FORBIDDEN')
  expect(codeOf(ledger.submit({ ...revoke, token: 'no such', actor: approver }))).toBe('NOT_FOUND')
})

test('the ledger itself makes the first two tokens, an operator and an approver, and no others', () => {
  const asked = { kind: 'create-token', actor: system, cause: { kind: 'system' } } as const
  const created = (role: 'operator' | 'approver' | 'emitter') => ({
    token: role,
    role,
    source: role,
    hash: 'h',
    expiresAt: null,
  })
  const ledger = new TestLedger([])
  ledger.submit({ kind: 'open-ledger', actor: system, cause: { kind: 'system' }, ledger: 'l' })
  expect(codeOf(ledger.submit({ ...asked, created: created('emitter') }))).toBe('FORBIDDEN')
  expect(codeOf(ledger.submit({ ...asked, created: created('operator') }))).toBe('recorded')
  expect(codeOf(ledger.submit({ ...asked, created: created('approver') }))).toBe('recorded')
  expect(codeOf(ledger.submit({ ...asked, created: { ...created('operator'), token: 'third' } }))).toBe('FORBIDDEN')
})

test('a ledger is opened once, whoever asks again', () => {
  const ledger = new TestLedger([])
  const asked = { kind: 'open-ledger', actor: system, cause: { kind: 'system' } } as const
  expect(codeOf(ledger.submit({ ...asked, ledger: 'l' }))).toBe('recorded')
  expect(ledger.submit({ ...asked, ledger: 'another' })).toMatchObject({
    code: 'FORBIDDEN',
    detail: expect.stringContaining('ledger l is open'),
  })
})
