import type { JsonObject } from '../ledger/record.js'
import { type Check, checksOf, type SubCheck } from '../recovery/checks.js'
import { guaranteesOf } from '../recovery/guarantees.js'
import { sentenceOf, verdictOf } from '../recovery/statement.js'
import type { Verification } from '../recovery/verify.js'
import { EXIT } from './io.js'
import { table } from './table.js'

/** Damage goes before violations: what cannot be read cannot be judged. */
export const exitCodeOf = ({ fault, replay }: Verification): number => {
  if (fault !== undefined) return EXIT.integrity
  return replay.violations.count > 0 ? EXIT.violation : EXIT.ok
}

/**
 * A verification as one document. `ok` says that every record is what the rules could have written; where it is false,
 * `seq`, `code` and `detail` name the first bad one. Violations that were reported stand in a sound log.
 */
export const documentOf = (verification: Verification): JsonObject => {
  const { fault, head, root, size, epoch, headChecked, replay } = verification
  if (fault !== undefined)
    return { ok: false, seq: fault.seq, code: fault.code, detail: fault.message, hint: fault.hint, recordsSound: size }
  const broken = replay.violations.items.find(({ code }) => code === 'PERMIT_BEYOND_CAP')
  const verdict = verdictOf(verification, checksOf(verification))
  return {
    ok: broken === undefined,
    ...(broken === undefined ? {} : { seq: broken.seq, code: broken.code, detail: broken.detail }),
    ledger: replay.state.registry.ledger,
    epoch,
    head: head === undefined ? null : { seq: head.seq, leaf: head.leaf },
    headChecked,
    root,
    records: size,
    counts: Object.fromEntries(replay.state.counts),
    verdict: verdict.code,
    statement: sentenceOf(verdict),
    violationCount: replay.violations.count,
    violations: replay.violations.items.map((violation) => ({ ...violation })),
    notices: replay.notices.items.map((notice) => ({ ...notice })),
  }
}

/** A verification in words. */
export const wordsOf = (verification: Verification): string => {
  const { fault, head, root, size, epoch, headChecked, replay } = verification
  if (fault !== undefined) return `${fault.code}: ${fault.message}\n${size} records before it are sound.\n${fault.hint}`
  const { tally, violations, notices } = replay
  const rows = [
    ['ledger', replay.state.registry.ledger],
    ['records', `${size}, the last is ${head?.seq} of ${head?.at}, epoch ${epoch}`],
    [
      'head',
      `${head?.leaf} ${headChecked ? '(as noted beside the log)' : '(nobody vouches for the last record: give --head)'}`,
    ],
    ['root', root],
    ['sums', `${tally.sumsCompared} added up again`],
    ['costs', `${tally.costsCompared} derived again, of ${replay.costs.derived} different releases`],
    ['caps', `${tally.capsCompared} derived again, of ${tally.policyVersions} policy versions`],
    ['permits', `${tally.permits}, and ${tally.refusals} refusals, ${tally.reports} reports`],
  ]
  const found = [...violations.items, ...notices.items].map(({ seq, code, detail }) => [`record ${seq}`, code, detail])
  const more = violations.count - violations.items.length
  return [
    table(rows),
    ...(found.length > 0 ? ['', table(found)] : []),
    ...(more > 0 ? [`and ${more} more violations`] : []),
    '',
    sentenceOf(verdictOf(verification, checksOf(verification))),
  ].join('\n')
}

/** The four checks with their parts; those that do not apply stand in one line, or with `verbose` each with its reason. */
export const checksTable = (checks: readonly Check[], verbose: boolean): string => {
  const shown = (part: SubCheck): boolean => verbose || part.status !== 'notApplicable'
  const folded = checks.flatMap(({ parts }) => parts.filter((part) => !shown(part)))
  const rows = checks.flatMap(({ name, status, parts }) => [
    [name, status, ''],
    ...parts.filter(shown).map((part) => [`  ${part.name}`, part.status, part.detail + figuresText(part.figures)]),
  ])
  return [
    table([['check', 'status', 'what was seen'], ...rows]),
    ...(folded.length === 0
      ? []
      : [`notApplicable (--verbose says why): ${folded.map(({ name }) => name).join(', ')}`]),
  ].join('\n')
}

const figuresText = (figures: { readonly [name: string]: number }): string => {
  const shown = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`)
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`
}

/** What each guarantee has come to. */
export const guaranteesTable = (verification: Verification): string =>
  table([
    ['guarantee', 'version', 'epsilon', 'delta', 'budgets', 'largest use', 'statement'],
    ...guaranteesOf(verification.replay).map(({ policy, budgets, largestUse, conditions, state }) => [
      policy.id,
      String(policy.version),
      policy.epsilon,
      policy.deltaConv === '0'
        ? policy.deltaExt
        : policy.deltaExt === '0'
          ? policy.deltaConv
          : `${policy.deltaConv} + ${policy.deltaExt}`,
      String(budgets),
      largestUse,
      `${state === 'closed' ? 'closed; ' : ''}${conditions.length === 0 ? 'unconditional' : conditions.join('; ')}`,
    ]),
  ])
