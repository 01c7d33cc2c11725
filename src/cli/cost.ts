import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { type Costs, costsOf } from '../accounting/cost.js'
import { AccountingError } from '../accounting/errors.js'
import { CATALOGUE } from '../accounting/orders.js'
import { isNonPrivate } from '../accounting/release.js'
import { LARGEST_ORDER, type Row, rdpRow } from '../accounting/units.js'
import { parseRequest } from '../budget/request.js'
import { requireReadable } from './input.js'
import { EXIT, type Io, usage } from './io.js'
import { parseOptions } from './options.js'

type Order = number | 'inf'

/** As much as a request to the service may have. */
const LONGEST_LINE = 4 * 1024 * 1024

/**
 * `cost [FILE|-] [--orders 2,3,8]`: what spend bodies cost, one JSON object a line for each: the integers that records
 * carry, `"INF"` where there is no finite cost, `{"error", "detail"}` for what is no spend body.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['orders'], positionals: 1 })
  const orders = ordersFrom(options.value('orders'))
  for await (const line of linesOf(input(options.positionals[0] ?? '-', io))) {
    if (line.trim() === '') continue
    // Whoever reads slowly is waited for, so that a long input never piles up here.
    if (!io.stdout.write(`${JSON.stringify(answerTo(line, orders))}\n`)) await once(io.stdout, 'drain')
  }
  return EXIT.ok
}

/** Line feeds alone end a line: JSON strings may hold the other characters that some readers break at. */
async function* linesOf(pieces: AsyncIterable<Uint8Array | string>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of pieces) {
    const lines = (rest + (typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true }))).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LONGEST_LINE) throw usage(`a line is longer than ${LONGEST_LINE} characters`)
    yield* lines
  }
  yield rest + decoder.decode()
}

function answerTo(line: string, orders: readonly Order[]): object {
  try {
    const release = releaseFrom(line)
    if (isNonPrivate(release))
      throw new AccountingError('COST_INFINITE', 'a release without privacy has no finite cost')
    const rows: readonly Row[] = ['eps', 'rho', 'mu2', 'delta', ...orders.map(rdpRow)]
    return costsView(costsOf(release, rows), orders)
  } catch (error) {
    if (!(error instanceof AccountingError)) throw error
    const { code, detail, pointer } = error
    return { error: code, detail, ...(pointer === '' ? {} : { pointer }) }
  }
}

/** Reads a spend as the service does; an id and units may stand in it, and change nothing. */
function releaseFrom(line: string) {
  const wire = parseJson(line)
  if (typeof wire !== 'object' || wire === null || !Object.hasOwn(wire, 'id'))
    return parseRequest('estimate', wire, '-').release
  const { id: _, ...spend } = wire as Record<string, unknown>
  return parseRequest('estimate', spend, '-').release
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new AccountingError('INVALID', `not a JSON document: ${(error as Error).message}`)
  }
}

const costsView = (costs: Costs, orders: readonly Order[]): object => ({
  pure: String(costs.eps),
  rho: String(costs.rho),
  mu2: String(costs.mu2),
  delta: String(costs.delta),
  rdp: Object.fromEntries(orders.map((order) => [order, String(costs[rdpRow(order)])])),
})

function ordersFrom(text: string | undefined): readonly Order[] {
  if (text === undefined) return [...CATALOGUE, 'inf']
  return [...new Set(text.split(',').map((order) => orderFrom(order.trim())))]
}

function orderFrom(text: string): Order {
  if (text === 'inf') return 'inf'
  const order = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0
  if (order >= 2 && order <= LARGEST_ORDER) return order
  throw usage(`--orders takes integers from 2 to ${LARGEST_ORDER} and inf, not ${JSON.stringify(text)}`)
}

function input(path: string, io: Io): AsyncIterable<Uint8Array | string> {
  if (path === '-') return io.stdin
  requireReadable(path)
  return createReadStream(path)
}
