import type { ReceivedMessage } from '../../src/kafka/wire-message.js'
import type { JsonObject } from '../../src/ledger/record.js'
import { type HeaderList, received, type Stored } from '../support/client-wire.js'

/** An event as an emitter means it. */
export interface Emitted {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly data?: unknown
}

export const SPEND: Emitted = {
  id: 'weekly-42',
  source: 'trainer',
  type: 'epsilon.spend.v1',
  data: { unit: 'u-17', mechanism: 'laplace', noiseMultiplier: '10' },
}

export const REPORT: Emitted = { ...SPEND, id: 'old-export', type: 'epsilon.report.v1' }

export const header = (name: string, value: string): readonly [string, Buffer] => [name, Buffer.from(value)]

const attributesOf = ({ id, source, type }: Emitted): HeaderList => [
  header('ce_specversion', '1.0'),
  header('ce_id', id),
  header('ce_source', source),
  header('ce_type', type),
]

/** Binary mode, as it is stored. */
export const binary = (event: Emitted, change: Partial<Stored> = {}): Stored => ({
  key: Buffer.from('u-17'),
  value: event.data === undefined ? null : Buffer.from(JSON.stringify(event.data)),
  headers: [...attributesOf(event), header('content-type', 'application/json')],
  offset: '7',
  ...change,
})

/** Structured mode, as it is stored; `more` are further members of the event. */
export const structured = (event: object, more: object = {}, change: Partial<Stored> = {}): Stored => ({
  key: Buffer.from('u-17'),
  value: Buffer.from(JSON.stringify({ specversion: '1.0', ...event, ...more })),
  headers: [header('content-type', 'application/cloudevents+json; charset=UTF-8')],
  offset: '7',
  ...change,
})

/** With other headers in the place of those of the same name; undefined takes one away. */
export const withHeaders = (stored: Stored, changed: Readonly<Record<string, string | Buffer | null | undefined>>) => ({
  ...stored,
  headers: [
    ...stored.headers.filter(([name]) => !Object.hasOwn(changed, name)),
    ...Object.entries(changed).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? Buffer.from(value) : value] as const],
    ),
  ],
})

/** The data of an emitted event, with changes. */
export const dataOf = (event: Emitted, change: object = {}): JsonObject =>
  ({ ...(event.data as object), ...change }) as JsonObject

export const read = (stored: Stored): ReceivedMessage => received(stored)
