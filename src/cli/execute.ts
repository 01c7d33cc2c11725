import { AccountingError } from '../accounting/errors.js'
import { LedgerError } from '../ledger/errors.js'
import { EXIT, type Io, type Run, usage, writeJson, writeLine } from './io.js'
import { thisProgram } from './program.js'
import { table } from './table.js'

interface Verb {
  readonly usage: string
  readonly does: string
  readonly load: () => Promise<{ readonly run: Run }>
}

const VERBS: Readonly<Record<string, Verb>> = {
  serve: {
    usage: '--data DIR [--port 4280] [--host 127.0.0.1] [--kafka HOST:PORT,…]',
    does: 'serve a ledger over HTTP; makes the directory where there is none',
    load: () => import('./serve.js'),
  },
  verify: {
    usage: '--data DIR | --records FILE [--head LEAF] | --proof FILE --key KEY [--records FILE]',
    does: 'verify a ledger from its records alone, or a proof',
    load: () => import('./verify.js'),
  },
  prove: {
    usage: '--data DIR [--out FILE] [--verbose]',
    does: 'verify, and sign what it has shown',
    load: () => import('./prove.js'),
  },
  token: {
    usage:
      'create --data DIR --role ROLE [--source NAME] [--expires DAYS] | list --data DIR | revoke ID --data DIR [--yes] [--token-file FILE]',
    does: 'make, list and revoke access tokens',
    load: () => import('./token.js'),
  },
  estimate: {
    usage: '--data DIR [--source NAME] FILE|-',
    does: 'what a spend would meet now, and how many more would fit',
    load: () => import('./estimate.js'),
  },
  cost: {
    usage: '[FILE|-] [--orders 2,3,8]',
    does: 'what spend bodies cost, one JSON object a line',
    load: () => import('./cost.js'),
  },
  cap: {
    usage: '--metric M --epsilon E --delta D [--orders 8:1e-6,64:1e-6] [--alpha-star A] [--delta-for-spends X]',
    does: 'the caps that a policy would have',
    load: () => import('./cap.js'),
  },
  'what-if': {
    usage: '--delta D (--rho SUM | --rdp 8:SUM,64:SUM)',
    does: 'for display only: the epsilon that sums would mean if all costs had been fixed in advance',
    load: () => import('./what-if.js'),
  },
  keys: {
    usage: '--data DIR',
    does: "the public key that checks this ledger's proofs",
    load: () => import('./keys.js'),
  },
  topics: {
    usage: '[--kafka HOST:PORT,…] [--apply [--partitions 6]]',
    does: 'what the topics of Kafka need beside what they have; makes what is missing',
    load: () => import('./topics.js'),
  },
  copy: {
    usage: '--from PLACE --to PLACE [--progress]',
    does: 'bring one place of a log up to another: data directories, and ledgers on servers',
    load: () => import('./copy.js'),
  },
  doctor: {
    usage: '--data DIR',
    does: 'what an operator should know about a data directory',
    load: () => import('./doctor.js'),
  },
}

const EXIT_CODES = [
  ['0', 'done'],
  ['1', 'internal error'],
  ['2', 'wrong use of the command line'],
  ['3', 'a condition is not met; nothing was changed'],
  ['10', 'not found'],
  ['11', 'another process has the data directory'],
  ['12', 'a key or a token is missing or wrong'],
  ['20', 'the log or a proof is damaged; goes before 32'],
  ['32', 'a privacy violation is on record'],
]

/** Runs one command line to its exit code; whatever goes wrong is written to stderr. */
export const execute = (args: readonly string[], io: Io): Promise<number> =>
  dispatch(args, io).catch((error: unknown) => failed(error, args, io))

const dispatch = async (args: readonly string[], io: Io): Promise<number> => {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    writeLine(io, help())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    writeLine(io, thisProgram().version)
    return EXIT.ok
  }
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb === undefined) throw usage(`there is no command ${JSON.stringify(name)}`)
  if (rest.includes('--help') || rest.includes('-h')) {
    writeLine(io, `epsilon-ledger ${name} ${verb.usage} [--json]\n\n${verb.does}`)
    return EXIT.ok
  }
  return (await verb.load()).run(rest, io)
}

const help = (): string =>
  [
    'epsilon-ledger COMMAND [OPTIONS] [--json]',
    '',
    table(Object.entries(VERBS).map(([name, { does }]) => [`  ${name}`, does])),
    '',
    'epsilon-ledger COMMAND --help shows the options. Exit codes:',
    '',
    table(EXIT_CODES.map(([code = '', meaning = '']) => [`  ${code}`, meaning])),
  ].join('\n')

/** Errors go to stderr as `code: message` with the next step, and with --json as a document to stdout too. */
const failed = (error: unknown, args: readonly string[], io: Io): number => {
  const { code, message, hint, exitCode } = facts(error)
  if (args.includes('--json')) writeJson(io, { ok: false, code, detail: message, ...(hint === '' ? {} : { hint }) })
  io.stderr.write(`${code}: ${message}\n${hint === '' ? '' : `${hint}\n`}`)
  if (exitCode === EXIT.internal && error instanceof Error) io.stderr.write(`${error.stack}\n`)
  return exitCode
}

const facts = (error: unknown) => {
  if (error instanceof LedgerError) return error
  if (error instanceof AccountingError) {
    const { code, detail, pointer } = error
    return { code, message: pointer === '' ? detail : `${pointer}: ${detail}`, hint: '', exitCode: EXIT.usage }
  }
  return {
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    hint: '',
    exitCode: EXIT.internal,
  }
}
