import { readFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { expect, test } from 'vitest'
import { readConfiguration } from '../../src/configuration.js'

interface Service {
  readonly image?: string
  readonly build?: { readonly dockerfile: string }
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly environment?: Readonly<Record<string, string>>
}

const COMPOSE = load(readFileSync('docker/compose.yaml', 'utf8')) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const SERVICES = Object.entries(COMPOSE.services)

test('every server to try out is of a version that is named', () => {
  for (const [name, { image, build }] of SERVICES) {
    expect(build?.dockerfile ?? image, name).toMatch(/^(?:docker\/Dockerfile|[a-z]+\/[a-z]+:\d+\.\d+[.\d]*)$/)
  }
})

test('nothing of it can be reached from other machines', () => {
  const ports = SERVICES.flatMap(([, { ports = [] }]) => ports)
  expect(ports.length).toBeGreaterThan(2)
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
})

test('what is kept and what is waited for is there', () => {
  const kept = SERVICES.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''))
  expect(kept.sort()).toEqual(Object.keys(COMPOSE.volumes).sort())
  const awaited = SERVICES.flatMap(([, { depends_on = {} }]) => Object.keys(depends_on))
  expect(awaited.filter((name) => COMPOSE.services[name] === undefined)).toEqual([])
})

/** As compose fills in `${NAME:-standard}`. */
const filledIn = (environment: Readonly<Record<string, string>>, given: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/^\$\{(\w+):-(.*)\}$/, (_, variable: string, standard: string) => given[variable] ?? standard),
    ]),
  )

test.each(['kurrentdb', 'sqlite'])('the ledger of it can keep its log in %s, and finds its servers there', (kind) => {
  const { environment = {} } = COMPOSE.services['ledger'] as Service
  const read = filledIn(environment, kind === 'kurrentdb' ? {} : { EPSILON_STORE: kind })
  expect(readConfiguration(read, { data: '/data' }).store.kind).toBe(kind)
  for (const host of Object.values(read).flatMap((value) => value.match(/\b[a-z]+(?=:\d)/g) ?? []))
    expect(Object.keys(COMPOSE.services)).toContain(host)
})
