import type { JsonObject } from '../../ledger/record.js'
import { leftText, spentText, together } from './amounts.js'
import type { Reply } from './client.js'
import { yearOf } from './deployments.js'
import { type Ask, budgetText, type Play } from './play.js'
import { DEVICES } from './plays/devices.js'
import { RELEASES } from './plays/releases.js'
import { SERIES } from './plays/series.js'
import { TRAININGS } from './plays/trainings.js'
import type { Stage } from './stage.js'
import { check } from './story.js'

/** All deployments of the data file but the one that has a step of its own. */
export const PLAYS: readonly Play[] = [...DEVICES, ...SERIES, ...RELEASES, ...TRAININGS]

const COLUMNS = ['deployment', 'year', 'budget', 'asked', 'answered', 'spent', 'left']

/** Every deployment with its published budget and one window of its releases. */
export const playDeployments = async (stage: Stage): Promise<JsonObject> => {
  for (const { policies } of PLAYS) for (const policy of policies) await stage.setPolicy(policy)
  const rows = []
  for (const play of PLAYS) rows.push(await rowOf(stage, play))
  stage.story.table([COLUMNS, ...rows])
  return { deployments: rows.map((row) => Object.fromEntries(row.map((cell, column) => [COLUMNS[column], cell]))) }
}

const rowOf = async (stage: Stage, play: Play): Promise<readonly string[]> => {
  const answered = tallied(await answersTo(stage, play.asks))
  const standings = await Promise.all(play.policies.map(({ id }) => stage.standing(id, attributesUnder(id, play.asks))))
  const said = { answered, spent: together(standings.map(spentText)), left: together(standings.map(leftText)) }
  for (const name of ['answered', 'spent', 'left'] as const) {
    check(
      said[name] === play.expected[name],
      () => `${play.id}, ${name}: expected ${play.expected[name]}, got ${said[name]}`,
    )
  }
  return [play.id, yearOf(play.id), budgetText(play.policies), play.asked, said.answered, said.spent, said.left]
}

/** What became of one request, in one word. */
type Became = 'ok' | 'noted' | 'refused' | 'held' | 'settled' | 'repeated'

/** Sends the requests in order; spends that follow each other go as one batch, each decided on its own. */
const answersTo = async ({ emitter }: Stage, asks: readonly Ask[]): Promise<readonly Became[]> => {
  const became: Became[] = []
  for (let next = 0; next < asks.length; ) {
    const ask = asks[next] as Ask
    const run = asks.slice(next).findIndex(({ kind }) => kind !== 'spend')
    const spends = asks.slice(next, run === -1 ? undefined : next + run)
    if (spends.length > 0) {
      const { body } = await emitter.expect([200], '/spends/batch', {
        spends: spends.map(({ id, body }) => ({ id, ...body })),
      })
      became.push(...(body['results'] as readonly JsonObject[]).map(becameOfSpend))
    } else {
      became.push(becameOf(ask, await emitter.expect([200, 201], ...requestOf(ask))))
    }
    next += Math.max(spends.length, 1)
  }
  return became
}

const requestOf = ({ kind, id, body }: Ask): [path: string, body: JsonObject] => {
  if (kind === 'settle') return [`/reservations/${encodeURIComponent(id)}/settle`, body]
  return [kind === 'report' ? '/reports' : '/reservations', { id, ...body }]
}

const becameOfSpend = (result: JsonObject): Became => {
  const { status } = result
  check(status === 201 || status === 409, () => `a spend was to be accepted or refused: ${JSON.stringify(result)}`)
  return status === 201 ? 'ok' : 'refused'
}

const becameOf = ({ kind }: Ask, { replayed, body }: Reply): Became => {
  if (replayed) return 'repeated'
  if (kind === 'report')
    check(body['violation'] === false, () => `a report violates a guarantee: ${JSON.stringify(body)}`)
  if (kind === 'report') return 'noted'
  return kind === 'reserve' ? 'held' : 'settled'
}

/** `101 ok, 1 refused`; a reservation that was settled is not held any more. */
const tallied = (became: readonly Became[]): string => {
  const left = became.includes('settled') ? became.filter((one) => one !== 'held') : became
  return [...new Set(left)].map((one) => `${left.filter((other) => other === one).length} ${one}`).join(', ')
}

/** What the first request under a policy says beside its body. */
const attributesUnder = (policy: string, asks: readonly Ask[]): JsonObject => {
  const body = asks.find((ask) => ask.body['dataset'] === policy)?.body ?? {}
  return Object.fromEntries(ATTRIBUTES.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])))
}

const ATTRIBUTES = ['dataset', 'unit', 'analyst', 'neighboring'] as const
