import { readFileSync, rmSync } from 'node:fs'
import { DataDirectory } from '../adapters/data-directory.js'
import type { Service } from '../application/service.js'
import type { Topics } from '../application/topics.js'
import { openService } from '../composition.js'
import { type Configuration, readConfiguration } from '../configuration.js'
import { KafkaClients } from '../kafka/client.js'
import { KafkaEdge } from '../kafka/kafka-edge.js'
import { readKafkaSettings } from '../kafka/settings.js'
import { StartGate } from '../kafka/start-gate.js'
import { unusedJournals } from '../kafka/unused-journals.js'
import { LedgerError } from '../ledger/errors.js'
import { EXIT, type Io, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'
import { SERVICE_FILE } from './running-service.js'

/**
 * `serve --data DIR [--port 4280] [--host 127.0.0.1] [--kafka HOST:PORT,…]`: until SIGINT or SIGTERM, which let what is in flight finish. A
 * failed append ends the process, and the next start finds out what was kept.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data', 'port', 'host', 'kafka'] })
  const host = options.value('host')
  const port = options.integer('port', 0, 65_535)
  const configuration = readConfiguration(process.env, {
    data: options.required('data'),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  })
  const kafka = readKafkaSettings(process.env, options.value('kafka'))
  const log = (line: string): void => void io.stderr.write(`${line}\n`)
  const clients = kafka === undefined ? undefined : new KafkaClients(kafka)
  const gate = clients === undefined ? undefined : new StartGate(clients, log)
  const service = await openService(configuration, gate)
  service.onFatal((error) => end(error, io))
  for (const warning of unusedJournals(service.state.offsets(), clients?.topic('journal'))) log(warning)
  const topics = clients && gate && topicsOf(service, clients, gate, io)
  const url = await listen(service, topics, configuration)
  const directory = DataDirectory.inspect(configuration.data)
  announce(directory, url)
  if (options.flag('json')) writeJson(io, { url, pid: process.pid, ledger: service.ledgerId, data: directory.path })
  else writeLine(io, greeting(directory, service, url))
  return new Promise(() => {})
}

const topicsOf = (service: Service, clients: KafkaClients, gate: StartGate, io: Io): Topics => {
  const edge = new KafkaEdge({
    service,
    clients,
    standing: () => gate.standing(service.ledgerId, service.store),
    compared: () => gate.compared,
    onFatal: (error) => end(error, io),
    log: (line) => io.stderr.write(`${line}\n`),
  })
  service.alsoReady(() => [...gate.readiness(), ...edge.readiness()])
  service.refuseBy(() => gate.refusal() ?? edge.refusal())
  if (clients.settings.acknowledge === 'journal') service.confirmBy((position) => edge.confirm(position))
  return edge
}

/** The framework is loaded only here: every other verb works without it. */
const listen = async (service: Service, topics: Topics | undefined, { host, port }: Configuration): Promise<string> => {
  try {
    const { start } = await import('../main.js')
    return (await start({ service, host, port, ...(topics === undefined ? {} : { topics }) })).url
  } catch (error) {
    await service.close()
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error
    throw new LedgerError('CANNOT_LISTEN', `${host} port ${port} cannot be listened on: ${(error as Error).message}`, {
      retry: 'never',
      hint: 'choose another one with --port and --host; --port 0 takes any that is free',
      exitCode: EXIT.precondition,
      cause: error,
    })
  }
}

/** Tells other verbs on this machine where the service is, for as long as it is there. */
const announce = (directory: DataDirectory, url: string): void => {
  const text = `${JSON.stringify({ pid: process.pid, url })}\n`
  directory.writeSecret(SERVICE_FILE, text)
  const path = directory.file(SERVICE_FILE)
  process.once('exit', () => {
    // After the lock is gone, another process may already have put its own file here.
    if (readQuietly(path) === text) rmSync(path, { force: true })
  })
}

const readQuietly = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const greeting = (directory: DataDirectory, service: Service, url: string): string => {
  const tokens = ['operator.token', 'approver.token'].filter((name) => directory.has(name))
  return [
    `Epsilon Ledger serves ${directory.path} (ledger ${service.ledgerId}, record ${service.position().seq})`,
    `${url}   API and its documentation: ${url}/docs`,
    ...(tokens.length === 0 ? [] : [`Tokens: ${tokens.map((name) => directory.file(name)).join(' and ')}`]),
    ...(tokens.length < 2
      ? []
      : [
          'Give them to two different people, and delete the files: raising a cap takes both. The token commands then take',
          "each one's own with --token-file FILE.",
        ]),
  ].join('\n')
}

const end = (error: Error, io: Io): void => {
  const known = error instanceof LedgerError ? error : undefined
  io.stderr.write(`${known?.code ?? 'INTERNAL'}: ${error.message}\n${known === undefined ? '' : `${known.hint}\n`}`)
  process.exit(known?.exitCode ?? EXIT.internal)
}
