import { readFileSync } from 'node:fs'
import type { JsonObject } from '../../ledger/record.js'
import { ask, policy } from './play.js'
import { Stage } from './stage.js'
import { check } from './story.js'
import { type Ran, run } from './verb.js'

/**
 * The signed statement over the whole history, checked against the public key and the log as the service had shown it.
 * Beside it a small ledger in which a guarantee was passed, so that it is seen that a proof can say no.
 */
export const playProof = async (stage: Stage): Promise<JsonObject> => {
  const [violated, { proof, verdict, statement }] = await Promise.all([violatedLedger(stage), proved(stage)])
  check(proof.exitCode === 0 && verdict.exitCode === 0, () => `verify --proof was to exit 0: ${shown(verdict)}`)
  check(statement.guarantees.every(isKept), () => `a guarantee is not kept: ${JSON.stringify(statement.guarantees)}`)
  const { size, guarantees, violationCount, notices } = statement
  stage.story.say(`  another ledger, 2 reports of ε 0.6 under ε 1: ${violated['statement']} (exit 32)`)
  stage.story.say(
    `  this ledger: ${size} records, ${guarantees.length} guarantees without a condition, ${violationCount} violations, ${notices.reportsBeyondQuota} report beyond a quota`,
  )
  stage.story.say(
    `  verify --proof with the public key and the log read over HTTP: ${verdict.document['statement']} (exit 0)`,
  )
  return { violated, proof: { size, violationCount, notices: { ...notices }, verdict: verdict.document } }
}

/** What has happened is recorded even where it passes a guarantee, and then the proof says so. */
const violatedLedger = async (main: Stage): Promise<JsonObject> => {
  const stage = await Stage.open(main.story, main.directory, 'violated')
  await stage.setPolicy(policy('survey', 'pure', { epsilon: '1', scope: ['unit'] }))
  const violations: unknown[] = []
  for (const wave of ['1', '2']) {
    const { id, body } = ask(
      'report',
      'survey',
      wave,
      { mechanism: 'declared_pure', epsilon: '0.6' },
      { unit: 'unit-1' },
    )
    const reply = await stage.emitter.expect([201], '/reports', { id, ...body })
    violations.push(reply.body['violation'])
  }
  check(violations.join() === 'false,true', () => `only the second report was to be a violation: ${violations}`)
  await stage.stop()
  const { verdict } = await proved(stage)
  check(verdict.exitCode === 32, () => `verify --proof was to exit 32 for a violation: ${shown(verdict)}`)
  return verdict.document
}

/** What a proof states, as far as the demo tells it. */
interface Statement {
  readonly size: number
  readonly guarantees: readonly { readonly budgetsAboveCap: number; readonly conditional: boolean }[]
  readonly violationCount: number
  readonly notices: { readonly reportsBeyondQuota: number }
}

const isKept = ({ budgetsAboveCap, conditional }: Statement['guarantees'][number]): boolean =>
  budgetsAboveCap === 0 && !conditional

interface Proved {
  readonly proof: Ran
  readonly verdict: Ran
  readonly statement: Statement
}

const proved = async (stage: Stage): Promise<Proved> => {
  const file = `${stage.data}-proof.json`
  const prove = run('prove', '--data', stage.data, '--out', file)
  const [proof, key] = await Promise.all([prove, run('keys', '--data', stage.data)])
  const raw = String(key.document['raw'])
  const verdict = await run('verify', '--proof', file, '--key', raw, '--records', stage.records)
  const envelope = JSON.parse(readFileSync(file, 'utf8')) as { readonly payload: string }
  const { predicate } = JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as { predicate: Statement }
  return { proof, verdict, statement: predicate }
}

const shown = ({ exitCode, document }: Ran): string => `exit ${exitCode}, ${JSON.stringify(document)}`
