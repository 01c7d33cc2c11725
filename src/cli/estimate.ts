import { LedgerState } from '../adapters/state/ledger-state.js'
import { estimateView } from '../application/estimate-view.js'
import { exactCosts } from '../budget/costs.js'
import { type Estimate, estimate } from '../budget/estimate.js'
import { eventOf } from '../budget/event-of.js'
import { evolve } from '../budget/evolve.js'
import { parseRequest } from '../budget/request.js'
import { rowsFor } from '../budget/targets.js'
import { ChainCheck } from '../ledger/chain.js'
import { LedgerError } from '../ledger/errors.js'
import { readInput } from './input.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'
import { Progress } from './progress.js'
import { openLogOf, type ReadableLog } from './readable-log.js'
import { table } from './table.js'

/**
 * `estimate --data DIR [--source NAME] FILE|-`: what a spend would meet now, from the log alone, without writing anything
 * and without asking a running service. Exits with 3 where it would be refused.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data', 'source'], flags: ['progress'], positionals: 1 })
  const [file] = options.positionals
  if (file === undefined) throw usage('give a file with the spend, or - for stdin')
  const request = parseRequest('estimate', spendFrom(await readInput(file, io)), options.value('source') ?? 'cli')
  const log = await openLogOf(options.required('data'))
  const state = await stateOf(log, io, options.flag('progress')).finally(() => log.close())
  const costs = exactCosts(request.release, rowsFor(state.registry.active, request.attributes))
  const result = estimate(state, { ...request, costs }, new Date().toISOString())
  if (result.kind === 'rejected')
    throw new LedgerError(result.code, result.detail, { retry: 'never', exitCode: EXIT.precondition })
  if (result.kind === 'costs-needed') throw new RangeError('the policies changed while nothing was written')
  if (options.flag('json')) writeJson(io, estimateView(result))
  else writeLine(io, wordsOf(result))
  return result.admitted ? EXIT.ok : EXIT.precondition
}

/** Replays the log as it stands, so that it says the same as the service. */
const stateOf = async (log: ReadableLog, io: Io, forced: boolean): Promise<LedgerState> => {
  const state = LedgerState.memory()
  const chain = new ChainCheck(undefined, 'trusted')
  const head = await log.head()
  const progress = new Progress(io, 'records', head === undefined ? 0 : head.seq + 1, forced)
  for await (const block of log.blocks(head?.block ?? -1)) {
    for (const { record } of chain.add(block)) evolve(state, eventOf(record), record)
    progress.update(block.last + 1)
  }
  chain.end(head?.leaf)
  progress.end((head?.seq ?? -1) + 1)
  return state
}

const spendFrom = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw usage(`the spend is no JSON: ${(error as Error).message}`)
  }
}

const wordsOf = (result: Estimate): string => {
  const rows = estimateView(result).budgets.map(({ policy, key, window, admitted, spent, remaining, requested }) =>
    [
      policy,
      key,
      window,
      admitted === true ? 'admits' : 'refuses',
      ...[spent, remaining, requested].map((amounts) => JSON.stringify(amounts)),
    ].map(String),
  )
  return [
    table([['policy', 'budget', 'window', 'decision', 'spent', 'remaining', 'requested'], ...rows]),
    '',
    result.admitted ? 'It would be accepted.' : 'It would be refused.',
    `Largest count as one spend: ${result.largestCount}.`,
    result.repetitions === undefined
      ? 'It costs nothing, so there is no end to how many fit.'
      : `Spends like this that fit one after the other: ${result.repetitions}.`,
  ].join('\n')
}
