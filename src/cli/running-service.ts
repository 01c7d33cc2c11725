import type { DataDirectory } from '../adapters/data-directory.js'
import { LedgerError } from '../ledger/errors.js'
import type { JsonObject } from '../ledger/record.js'
import { EXIT } from './io.js'

/** Where a service says in its data directory how to reach it. */
export const SERVICE_FILE = 'service.json'

export interface ServiceFile {
  readonly pid: number
  readonly url: string
}

/** A service that answers on this directory right now; undefined where there is none. */
export const runningService = async (directory: DataDirectory): Promise<RunningService | undefined> => {
  const text = directory.readSecret(SERVICE_FILE)
  if (text === undefined) return undefined
  try {
    const { url } = JSON.parse(text) as ServiceFile
    const answer = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(PROBE_MS) })
    return answer.ok ? new RunningService(url, directory) : undefined
  } catch {
    // A process that was killed leaves its file behind; the directory's lock tells who really has it.
    return undefined
  }
}

const PROBE_MS = 2_000
const REQUEST_MS = 30_000

/** Asks a running service with the tokens that lie in its data directory. */
export class RunningService {
  constructor(
    readonly url: string,
    private readonly directory: DataDirectory,
  ) {}

  /** Throws the service's own problem code; `TOKEN_MISSING` where the directory has no token for this role. */
  async ask(role: 'operator' | 'approver', method: string, path: string, body?: JsonObject): Promise<JsonObject> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token(role)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_MS),
    })
    const answer = (await response.json()) as JsonObject
    if (response.ok) return answer
    throw new LedgerError(
      String(answer['code'] ?? 'REFUSED'),
      `${method} ${path}: ${String(answer['detail'] ?? response.status)}`,
      {
        retry: 'never',
        exitCode: exitCodeOf(response.status),
      },
    )
  }

  #token(role: 'operator' | 'approver'): string {
    const token = this.directory.readSecret(`${role}.token`)
    if (token !== undefined) return token.trim()
    throw new LedgerError(
      'TOKEN_MISSING',
      `a service runs on this directory, but ${this.directory.file(`${role}.token`)} is not there`,
      {
        retry: 'never',
        hint: `ask the ${role} to do it over HTTP, or stop the service first`,
        exitCode: EXIT.key,
      },
    )
  }
}

const exitCodeOf = (status: number): number => {
  if (status === 404) return EXIT.notFound
  return status === 401 || status === 403 ? EXIT.key : EXIT.precondition
}
