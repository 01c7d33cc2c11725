import type { Client } from '../support/client.js'
import type { Book } from './book.js'
import type { LogOracle } from './log-oracle.js'

const SAMPLE = 20

/** What was answered is answered again when it is asked for. */
export const checkAnswers = async (
  book: Book,
  clientOf: (source: string) => Client,
  random: () => number,
): Promise<void> => {
  const clients = new Map<string, Client>()
  for (const key of sample(
    [...book.told.keys()].filter((key) => key.startsWith('request ')),
    random,
  )) {
    const told = book.told.get(key)
    if (told === undefined) continue
    const { source } = told.sent
    const client = clients.get(source) ?? clientOf(source)
    clients.set(source, client)
    const id = key.slice(`request ${source}/`.length)
    const reply = await client.get<{ receipt?: { seq: number; leaf: string } }>(`/v1/spends/${id}`)
    if (reply.body.receipt?.seq !== told.seq || reply.body.receipt.leaf !== told.leaf) {
      throw new Error(`${key} was told ${told.text}, but asked for it is ${reply.status} ${reply.text}`)
    }
  }
  for (const client of clients.values()) client.close()
}

interface ShownBudget {
  readonly policy: string
  readonly key: string
  readonly window: string
  readonly spent: Readonly<Record<string, unknown>>
  readonly reserved: Readonly<Record<string, unknown>>
}

/** Budgets are shown as the log's own costs add up. */
export const checkBudgets = async (
  log: LogOracle,
  auditor: Client,
  book: Book,
  random: () => number,
): Promise<void> => {
  for (const unit of sample([...unitsIn(book)], random)) {
    const reply = await auditor.get<{ budgets: readonly ShownBudget[] }>(`/v1/units/${unit}/budgets`)
    for (const { policy, key, window, spent, reserved } of reply.body.budgets) {
      if (typeof spent['epsilon'] !== 'string') continue
      const shown = femto(spent['epsilon']) + femto(String(reserved['epsilon'] ?? '0'))
      const added = log.usedIn(policy, key, window, 'eps')
      if (shown !== added)
        throw new Error(`budget ${policy} ${key} shows ${shown} used, but the log adds up to ${added}`)
    }
  }
}

/** What the service shows of its state, by path. */
export const shownState = async (auditor: Client, book: Book): Promise<ReadonlyMap<string, unknown>> => {
  const units = [...unitsIn(book)].slice(-100)
  const paths = [
    '/v1/policies',
    '/v1/violations',
    '/v1/reservations?open&limit=1000',
    '/v1/ledger',
    ...units.map((unit) => `/v1/units/${unit}/budgets`),
    ...units.map((unit) => `/v1/units/${unit}/spends`),
  ]
  const shown = new Map<string, unknown>()
  for (const path of paths) {
    const { status, text, body } = await auditor.get(path)
    if (status !== 200) throw new Error(`${path} is answered ${status} ${text}`)
    shown.set(path, body)
  }
  return shown
}

/** The units that were spent on last, a few of a census among them. */
const unitsIn = (book: Book): ReadonlySet<string> => {
  const units = new Set<string>()
  for (const { sent } of [...book.told.values()].slice(-2_000)) {
    const {
      unit,
      units: many,
      spends,
    } = sent.body as { unit?: string; units?: readonly string[]; spends?: readonly { unit?: string }[] }
    for (const name of [unit, many?.at(0), many?.at(-1), ...(spends ?? []).map((spend) => spend.unit)]) {
      if (name !== undefined) units.add(name)
    }
  }
  return units
}

const sample = <Item>(items: readonly Item[], random: () => number): readonly Item[] =>
  items.length === 0 ? [] : Array.from({ length: SAMPLE }, () => items[Math.floor(random() * items.length)] as Item)

/** A decimal in units of 10⁻¹⁵. */
const femto = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(15, '0'))
}
