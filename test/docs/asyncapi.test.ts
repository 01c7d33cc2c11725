import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ErrorObject } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { load } from 'js-yaml'
import { beforeAll, expect, test } from 'vitest'
import { parseRequest } from '../../src/budget/request.js'
import { SCHEMAS } from '../../src/http/openapi/schemas.js'
import type { TopicName } from '../../src/kafka/client.js'
import { DEAD_LETTER_HEADERS, deadLetterMessage } from '../../src/kafka/dead-letter-message.js'
import { DECISION_TYPE, decisionMessage } from '../../src/kafka/decision-message.js'
import { journalMessage } from '../../src/kafka/journal-message.js'
import { ingestOf, REQUESTS } from '../../src/kafka/message.js'
import { messageCause } from '../../src/kafka/message-cause.js'
import { QUARANTINE_REASONS } from '../../src/kafka/quarantined-message.js'
import { settingsToMake } from '../../src/kafka/topic-needs.js'
import { headersOf, type ReceivedMessage } from '../../src/kafka/wire-message.js'
import { received, sentAndReceived } from '../support/client-wire.js'
import { decisionsOf } from '../support/decisions.js'
import { LEDGER, run } from './example-ledger.js'
import { runOfTopics } from './example-topics.js'
import { codeIn, pretty, readPage, sectionNamed, tableRows } from './markdown.js'
import { INVALID_CODES, messageSchemas } from './message-schemas.js'

const PAGE = 'docs/asyncapi.yaml'
/** From here on the page is made by this test. */
const MADE = '  # Made from the schemas of the HTTP interface and the codes of the program.\n  schemas:\n'

interface Ref {
  readonly $ref: string
}

interface Message {
  readonly contentType: string
  readonly headers: Ref
  readonly payload: Ref
  readonly examples?: readonly { readonly headers: Readonly<Record<string, string>>; readonly payload: object }[]
}

interface Headers {
  readonly properties: Readonly<Record<string, { readonly const?: unknown; readonly oneOf?: unknown }>>
}

interface Channel {
  readonly address: string
  readonly messages: Readonly<Record<string, Ref>>
  readonly bindings: { readonly kafka: { readonly topicConfiguration: object } }
}

interface Document {
  readonly channels: Readonly<Record<string, Channel>>
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>
    readonly schemas: Readonly<Record<string, object>>
  }
}

let text: string
let document: Document
let schemas: Ajv

beforeAll(() => {
  text = readFileSync(PAGE, 'utf8')
  if (process.env['UPDATE_DOCS'] === '1') {
    text = `${text.split(MADE)[0]?.trimEnd()}\n\n${MADE}${madePart()}`
    writeFileSync(PAGE, text)
  }
  document = load(text) as Document
  schemas = new Ajv({ strict: false, validateFormats: false, allErrors: true })
  schemas.addSchema({ $id: 'page', components: { schemas: document.components.schemas } })
})

/** JSON, each schema under its name: YAML takes it as it is. */
const madePart = (): string =>
  Object.entries(messageSchemas())
    .map(([name, schema]) => `    ${name}:\n${pretty(schema).replace(/^/gm, '      ')}\n`)
    .join('')

const messageNamed = (name: string): Message => {
  const found = document.components.messages[name]
  if (found === undefined) throw new Error(`no message ${name}`)
  return found
}
const nameIn = ({ $ref }: Ref): string => $ref.split('/').at(-1) ?? ''
const headersOfMessage = (name: string): Headers['properties'] =>
  (document.components.schemas[nameIn(messageNamed(name).headers)] as Headers).properties

type Problems = readonly ErrorObject[] | null | undefined

/** What the page has against a value. */
const problems = (schema: Ref, value: unknown): Problems => {
  const check = schemas.getSchema(`page${schema.$ref}`)
  if (check === undefined) throw new Error(`no schema ${schema.$ref}`)
  check(value)
  return check.errors
}
const dataProblems = (name: string, data: unknown): Problems => problems(messageNamed(name).payload, data)
const headerProblems = (name: string, came: ReceivedMessage): Problems => {
  const shown = headersOf(came).map(([header, values]) => [header, String(values[0])])
  return problems(messageNamed(name).headers, Object.fromEntries(shown))
}

test('the schemas in the page are those of the program', () => {
  expect(text.split(MADE)[1]).toBe(madePart())
})

test('the page is AsyncAPI 3.0, as its authors check it', { timeout: 120_000 }, () => {
  const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object
  const check = new Ajv({ strict: false, validateFormats: false }).compile(schema)
  check(document)
  expect(check.errors ?? []).toEqual([])
  check({ ...document, channels: { spends: { adress: 'epsilon.spends' } } })
  expect(check.errors).not.toBeNull()
})

test('every reference in the page leads somewhere', () => {
  const targets = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path)
  const isThere = (path: string): boolean =>
    path.split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document) !==
    undefined
  expect(targets.length).toBeGreaterThan(100)
  expect(targets.filter((path) => !isThere(path))).toEqual([])
})

/** A topic that is forgotten does not compile. */
const TOPICS: Readonly<Record<TopicName, string>> = {
  spends: 'epsilon.spends',
  decisions: 'epsilon.decisions',
  journal: 'epsilon.journal',
  'dead-letter': 'epsilon.dead-letter',
}

test('the page has the topics of the program, and no other', () => {
  const addresses = Object.entries(document.channels).map(([name, { address }]) => [name, address])
  expect(Object.fromEntries(addresses)).toEqual(TOPICS)
})

/** What the format has names for; the other settings are in docs/cli.md. */
const SHOWN = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes']

test.each(Object.keys(TOPICS) as TopicName[])('the settings of %s are those that the program makes it with', (name) => {
  const made = settingsToMake(name, { brokers: 3, highestPartition: undefined, spendBytes: 1_048_588 })
  const { topicConfiguration } = document.channels[name]?.bindings.kafka ?? { topicConfiguration: {} }
  const shown = Object.entries(topicConfiguration).map(([setting, value]) => [setting, String(value)])
  expect(Object.fromEntries(shown)).toEqual(
    Object.fromEntries([...made].filter(([setting]) => SHOWN.includes(setting))),
  )
})

test('the messages of spends are the requests of the program, by their types, and the other mode of them all', () => {
  const { structured, ...binary } = document.channels['spends']?.messages ?? {}
  expect(structured).toBeDefined()
  const types = Object.entries(binary).map(([name, ref]) => [headersOfMessage(nameIn(ref))['ce_type']?.const, name])
  expect(Object.fromEntries(types)).toEqual(REQUESTS)
  expect(headersOfMessage('Decision')['ce_type']?.const).toBe(DECISION_TYPE)
})

test('every example of a request is one that the page and the program take', () => {
  const shown = Object.entries(document.components.messages).filter(([, { examples }]) => examples !== undefined)
  expect(shown.map(([name]) => name)).toEqual(['Spend', 'Reserve', 'Settle', 'Release', 'Report', 'Structured'])
  for (const [name, { examples = [], contentType }] of shown) {
    for (const { headers, payload } of examples) {
      const list = Object.entries(headers).map(([header, value]) => [header, Buffer.from(value)] as const)
      const came = received({ key: null, value: Buffer.from(JSON.stringify(payload)), headers: list })
      expect([dataProblems(name, payload), headerProblems(name, came)], name).toEqual([null, null])
      expect(headers['content-type'] ?? contentType).toBe(contentType)
      const fate = ingestOf(came, messageCause(came, 'epsilon.spends', 0))
      expect(fate.request).toBe(name === 'Structured' ? 'spend' : name.toLowerCase())
      if ('wire' in fate && !('id' in fate)) parseRequest(fate.request, fate.wire, fate.source)
    }
  }
})

test.each([
  ['Spend', { unit: 'u', mechanism: 'laplace', noiseMultiplier: '10', id: 'weekly-42' }],
  ['Spend', { unit: 'u', mechanism: 'laplace' }],
  ['Report', { units: ['u'], onExhausted: 'drop', mechanism: 'laplace', noiseMultiplier: '10' }],
  ['Reserve', { unit: 'u', mechanism: 'laplace', noiseMultiplier: '10' }],
  ['Settle', { count: 3 }],
  ['Release', { reservation: 'training-7' }],
  ['Structured', { specversion: '1.0', id: 'a', source: 's', type: 'epsilon.spend.v1' }],
  ['Structured', { specversion: '0.3', id: 'a', source: 's', type: 'epsilon.spend.v1', data_base64: 'e30=' }],
])('the page refuses a %s that the program would refuse: %j', (name, data) => {
  expect(dataProblems(name, data)).not.toBeNull()
})

const RELEASES = [
  { mechanism: 'laplace', noiseMultiplier: '10' },
  { mechanism: 'gaussian', noiseMultiplier: 1.5, sampling: { method: 'poisson', probability: '1/600' } },
  { mechanism: 'declared_zcdp', rho: '0.1', xi: 0 },
  { parts: [{ mechanism: 'tree_aggregation', noiseMultiplier: '2', steps: [4, 8] }, { mechanism: 'no_op' }] },
  { dpEvent: { class_name: 'SelfComposedDpEvent', event: { class_name: 'NoOpDpEvent' }, count: 3 } },
  { opacusHistory: [[1.1, 0.01, 100]] },
]
const MEMBERS = {
  ...{ unit: 'u-17', units: ['a', 'b'], onExhausted: 'drop', dataset: 'visits', neighboring: 'replace_one', count: 3 },
  ...{ expiresInSeconds: 60, reservation: 'training-7', mechanism: 'no_op', epsilon: '0.1', mu: 2, curve: { 8: '1' } },
  ...{
    noise: { stream: 's', from: 0, to: 9 },
    clipping: { share: 0.5 },
    steps: 8,
    parts: [],
    nonsense: 1,
    reason: 'r',
  },
}
const PAIRS = [
  ['SpendData', 'SpendRequest', { id: 'a' }],
  ['ReserveData', 'ReservationRequest', { id: 'a' }],
  ['ReportData', 'ReportRequest', { id: 'a' }],
  ['ReleaseBody', 'ReleaseBody', {}],
] as const

test.each(PAIRS)('for every body, %s of the page and %s of HTTP say the same', (mine, theirs, id) => {
  const openApi = new Ajv2020({ strict: false, validateFormats: false })
  openApi.addSchema({ $id: 'http', components: { schemas: SCHEMAS } })
  const http = openApi.getSchema(`http#/components/schemas/${theirs}`)
  const member = fc.tuple(fc.constantFrom(...Object.keys(MEMBERS)), fc.option(fc.jsonValue(), { freq: 5 }))
  const verdicts = { good: 0, bad: 0 }
  fc.assert(
    fc.property(
      fc.constantFrom(...RELEASES),
      fc.array(member, { maxLength: 3 }),
      fc.boolean(),
      (release, more, expires) => {
        const own = Object.entries(MEMBERS)
        const added = more.map(([name, odd]) => [name, odd ?? own.find(([other]) => other === name)?.[1]])
        const data = { ...release, ...Object.fromEntries(added), ...(expires ? { expiresInSeconds: 60 } : {}) }
        const good = http?.({ ...id, ...data }) === true
        verdicts[good ? 'good' : 'bad']++
        expect(problems({ $ref: `#/components/schemas/${mine}` }, data) === null).toBe(good)
      },
    ),
    { numRuns: 1_000 },
  )
  expect(Math.min(verdicts.good, verdicts.bad)).toBeGreaterThan(30)
})

test('every decision of a run is what the page says, headers and data, and so is its repeat', async () => {
  const seen = new Set<string>()
  for (const { decision, registry } of [...decisionsOf(await run()), ...decisionsOf(await runOfTopics())]) {
    for (const repeat of [false, true]) {
      const message = decisionMessage(decision, registry, { head: 99, repeat })
      if (message === undefined) continue
      const came = sentAndReceived(message)
      expect(dataProblems('Decision', JSON.parse(String(came.value))), decision.record.type).toBeNull()
      expect(headerProblems('Decision', came)).toBeNull()
      for (const name of Object.keys(message.headers)) seen.add(name)
    }
  }
  expect([...seen].sort()).toEqual(Object.keys(headersOfMessage('Decision')).sort())
})

test('every block of a run is what the page says', async () => {
  for (const block of (await run()).blocks) {
    const message = journalMessage(LEDGER, block)
    expect(headerProblems('Block', sentAndReceived(message))).toBeNull()
    expect(Object.keys(message.headers).sort()).toEqual(Object.keys(headersOfMessage('Block')).sort())
  }
})

test('the headers of a dead letter are in the page, and every reason with its meaning', () => {
  expect(Object.keys(headersOfMessage('DeadLetter'))).toEqual([...DEAD_LETTER_HEADERS])
  const reasons = Object.entries(QUARANTINE_REASONS).map(([code, description]) => ({ const: code, description }))
  expect(headersOfMessage('DeadLetter')['epsilon_reason']?.oneOf).toEqual(reasons)
  for (const reason of Object.keys(QUARANTINE_REASONS)) {
    const message = received({ key: null, value: null, headers: [] })
    const burial = { reason, detail: 'why', topic: 'epsilon.spends', partition: 0 }
    expect(headerProblems('DeadLetter', sentAndReceived(deadLetterMessage(message, burial)))).toBeNull()
  }
})

const ASKING = ['spends', 'reservations', 'reservations/{id}/settle', 'reservations/{id}/release']
const WAITING = ['HALTED', 'RECOVERING', 'CLOCK_UNCERTAIN', 'NOT_READY', 'BUSY', 'SHUTTING_DOWN', 'APPEND_UNCERTAIN']
const REFUSED = ['BUDGET_EXHAUSTED', 'COST_INFINITE', 'UNDECIDED']
/** Nobody shows a token here, and what goes wrong inside ends the process. */
const OF_HTTP_ALONE = ['UNAUTHENTICATED', 'INTERNAL']

test('a decision is invalid for what HTTP answers to the same request and does not record', () => {
  const codesIn = (cell = ''): readonly string[] => [...cell.matchAll(/`([A-Z_]+)`/g)].map((match) => match[1] ?? '')
  const page = readPage('api.md')
  const rows = tableRows(sectionNamed(page, 2, 'Routes').text)
  const own = ASKING.flatMap((path) => codesIn(rows.find(([route = '']) => codeIn(route) === `POST /v1/${path}`)?.[3]))
  const ofKind = tableRows(sectionNamed(page, 3, 'Codes of every kind').text).flatMap((cells) => codesIn(cells[1]))
  const others = [...WAITING, ...REFUSED, ...OF_HTTP_ALONE]
  expect(own.length).toBeGreaterThan(20)
  const expected = new Set([...own, ...ofKind].filter((code) => !others.includes(code)))
  expect([...INVALID_CODES].sort()).toEqual([...expected].sort())
})
