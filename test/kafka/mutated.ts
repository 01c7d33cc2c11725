import fc from 'fast-check'
import { readJson } from '../../src/application/json-text.js'
import type { Stored } from '../support/client-wire.js'
import { binary, type Emitted, structured, withHeaders } from './emitted.js'

const BODIES: readonly { readonly [name: string]: unknown; readonly onExhausted?: string }[] = [
  { unit: 'u-17', mechanism: 'laplace', noiseMultiplier: '10' },
  { units: ['a', 'ü', '\u{1F512}'], onExhausted: 'drop', mechanism: 'gaussian', noiseMultiplier: 1.5, count: 1000 },
  { dataset: 'visits', parts: [{ mechanism: 'declared_pure', epsilon: '1/3' }], clipping: { share: 0.25 } },
  {
    unit: 'u',
    dpEvent: { class_name: 'GaussianDpEvent', noise_multiplier: 4 },
    noise: { stream: 's', from: 0, to: 9 },
  },
]

const name = fc.constantFrom('weekly-42', 'a', 'ü'.repeat(100), 'x y', '"\\')
const body = fc.constantFrom(...BODIES)
const emitted: fc.Arbitrary<Emitted> = fc.oneof(
  fc.record({ id: name, source: name, type: fc.constant('epsilon.spend.v1'), data: body }),
  fc.record({
    id: name,
    source: name,
    type: fc.constant('epsilon.report.v1'),
    data: body.map(({ onExhausted: _, ...one }) => one),
  }),
  fc.record({
    id: name,
    source: name,
    type: fc.constant('epsilon.reserve.v1'),
    data: body.map((one) => ({ ...one, expiresInSeconds: 60 })),
  }),
  fc.record({
    id: name,
    source: name,
    type: fc.constant('epsilon.settle.v1'),
    data: name.map((reservation) => ({ reservation, count: 3 })),
  }),
  fc.record({
    id: name,
    source: name,
    type: fc.constant('epsilon.release.v1'),
    data: name.map((reservation) => ({ reservation, reason: 'over' })),
  }),
)
/** Messages of every type in both modes, as they are stored. */
export const valid: fc.Arbitrary<Stored> = fc
  .tuple(emitted, fc.constantFrom(binary, structured))
  .map(([event, mode]) => mode(event))

type Mutation = (stored: Stored) => Stored

const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array))
const onValue =
  (change: (value: Buffer) => Buffer | null): Mutation =>
  (stored) =>
    stored.value === null ? stored : { ...stored, value: change(stored.value) }

const place = fc.nat({ max: 1_000 })
const flipped = fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, flip]) =>
  onValue((value) => {
    const copy = Buffer.from(value)
    const index = at % Math.max(1, copy.length)
    if (copy.length > 0) copy[index] = (copy[index] as number) ^ flip
    return copy
  }),
)
const cutOff = place.map((at) => onValue((value) => value.subarray(0, at % (value.length + 1))))
const inserted = fc.tuple(place, bytes).map(([at, more]) =>
  onValue((value) => {
    const index = at % (value.length + 1)
    return Buffer.concat([value.subarray(0, index), more, value.subarray(index)])
  }),
)
const replaced = fc.oneof(fc.constant(null), bytes).map(
  (value): Mutation =>
    (stored) => ({ ...stored, value }),
)

const NAMES = [
  'ce_id',
  'ce_source',
  'ce_type',
  'ce_specversion',
  'ce_time',
  'ce_subject',
  'content-type',
  'constructor',
  '__proto__',
  'length',
]
const headerText = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  bytes,
  fc.constant(null),
  fc
    .constantFrom(
      '1.0',
      'epsilon.spend.v1',
      'epsilon.decision.v1',
      'application/json',
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      '2026-11-21T10:00:00Z',
    )
    .map((text) => Buffer.from(text)),
)
const headerAdded = fc.tuple(fc.constantFrom(...NAMES), headerText).map(
  ([header, value]): Mutation =>
    (stored) => ({ ...stored, headers: [...stored.headers, [header, value]] }),
)
const headerChanged = fc.tuple(place, headerText).map(
  ([at, value]): Mutation =>
    (stored) => ({
      ...stored,
      headers: stored.headers.map((one, index) => (index === at % stored.headers.length ? [one[0], value] : one)),
    }),
)
const headerRemoved = place.map(
  (at): Mutation =>
    (stored) => ({ ...stored, headers: stored.headers.filter((_, index) => index !== at % stored.headers.length) }),
)
const retyped = fc.constantFrom('application/cloudevents-batch+json', 'application/cloudevents+avro', 'text/plain').map(
  (type): Mutation =>
    (stored) =>
      withHeaders(stored, { 'content-type': type }),
)
const keyChanged = fc.option(bytes).map(
  (key): Mutation =>
    (stored) => ({ ...stored, key }),
)

const MEMBERS = [
  'id',
  'source',
  'type',
  'specversion',
  'data',
  'data_base64',
  'datacontenttype',
  'time',
  'subject',
  'unit',
  'units',
  'count',
  'reservation',
  'reason',
  'mechanism',
  '__proto__',
  'constructor',
]
/** A member of the value, or of the data in it, gets another value; undefined takes it away. */
const memberChanged = fc
  .tuple(fc.constantFrom(...MEMBERS), fc.boolean(), fc.option(fc.jsonValue(), { nil: undefined }))
  .map(([member, inside, value]) =>
    onValue((came) => {
      const read = readJson(came)
      if (!('value' in read) || typeof read.value !== 'object' || read.value === null) return came
      const whole = read.value as Record<string, unknown>
      const set = (target: unknown): object =>
        Object.fromEntries([
          ...Object.entries(target as object).filter(([other]) => other !== member),
          ...(value === undefined ? [] : [[member, value]]),
        ])
      const changed =
        inside && typeof whole['data'] === 'object' && whole['data'] !== null
          ? { ...whole, data: set(whole['data']) }
          : set(whole)
      return Buffer.from(JSON.stringify(changed))
    }),
  )

const mutation = fc.oneof(
  { weight: 3, arbitrary: flipped },
  cutOff,
  inserted,
  replaced,
  { weight: 2, arbitrary: headerAdded },
  { weight: 2, arbitrary: headerChanged },
  headerRemoved,
  retyped,
  keyChanged,
  { weight: 4, arbitrary: memberChanged },
)
/** The same with one to four changes: of bytes, headers, key, null, types, and members. */
export const mutated = fc
  .tuple(valid, fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([stored, changes]) => changes.reduce((sum, change) => change(sum), stored))
