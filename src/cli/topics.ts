import { KafkaClients } from '../kafka/client.js'
import { readKafkaSettings } from '../kafka/settings.js'
import { inspectTopics, mendTopics, type TopicReport, type TopicsReport } from '../kafka/topics.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'
import { table } from './table.js'

const STANDARD_PARTITIONS = 6
const MOST_PARTITIONS = 10_000

/** `topics [--kafka HOST:PORT,…] [--apply]`: what each topic needs beside what it has; makes what is missing. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['kafka', 'partitions'], flags: ['apply'] })
  const partitions = options.integer('partitions', 1, MOST_PARTITIONS)
  if (partitions !== undefined && !options.flag('apply')) throw usage('--partitions says what --apply makes')
  const settings = readKafkaSettings(process.env, options.value('kafka'))
  if (settings === undefined) throw usage('no broker is named', 'use --kafka HOST:PORT,… or EPSILON_KAFKA_BROKERS')
  // What goes wrong is said once, by the error that ends the command.
  const clients = new KafkaClients(settings, () => {})
  const done = options.flag('apply') ? await mendTopics(clients, partitions ?? STANDARD_PARTITIONS) : []
  const report = await inspectTopics(clients)
  const ok = report.topics.every(isSound)
  if (options.flag('json')) writeJson(io, { ok, done, ...report })
  else writeLine(io, [...done, ...(done.length === 0 ? [] : ['']), ...shown(report)].join('\n'))
  return ok ? EXIT.ok : EXIT.precondition
}

const isSound = ({ exists, findings }: TopicReport): boolean =>
  exists && findings.every(({ state }) => state !== 'wrong')

const shown = ({ topics }: TopicsReport): readonly string[] => [
  table([['topic', 'setting', 'needs', 'has', ''], ...topics.flatMap(rowsOf)]),
  ...notesOf(topics),
]

const rowsOf = ({ topic, exists, findings }: TopicReport): readonly (readonly string[])[] =>
  exists
    ? findings.map(({ setting, needs, has, state }, index) => [index === 0 ? topic : '', setting, needs, has, state])
    : [[topic, '', '', 'is missing', 'wrong']]

/** Why something does not fit, each reason once, and what to do. */
const notesOf = (topics: readonly TopicReport[]): readonly string[] => {
  const unfit = topics.flatMap(({ findings }) => findings).filter(({ state }) => state !== 'fits')
  const notes = new Set(unfit.map(({ setting, state, why }) => `${state}: ${setting}: ${why}`))
  const mends = topics.some(({ exists, findings }) => !exists || findings.some(({ mend }) => mend !== undefined))
  if (notes.size === 0 && !mends) return []
  return [
    '',
    ...notes,
    ...(mends ? ['epsilon-ledger topics --apply makes what is missing and sets what can be set.'] : []),
  ]
}
