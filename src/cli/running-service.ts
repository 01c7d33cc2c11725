import { readFileSync } from 'node:fs'
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
export const runningService = async (
  directory: DataDirectory,
  tokenFile?: string,
): Promise<RunningService | undefined> => {
  const text = directory.readSecret(SERVICE_FILE)
  if (text === undefined) return undefined
  try {
    const { url } = JSON.parse(text) as ServiceFile
    const answer = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(PROBE_MS) })
    return answer.ok ? new RunningService(url, directory, tokenFile) : undefined
  } catch {
    // A process that was killed leaves its file behind; the directory's lock tells who really has it.
    return undefined
  }
}

const PROBE_MS = 2_000
const REQUEST_MS = 30_000

type Role = 'operator' | 'approver'

/** Asks a running service with the token in a file, or with the first tokens where those still lie in its directory. */
export class RunningService {
  constructor(
    readonly url: string,
    private readonly directory: DataDirectory,
    private readonly tokenFile: string | undefined,
  ) {}

  /** Throws the service's own problem code; `TOKEN_MISSING` where there is no token to ask with. */
  async ask(role: Role, method: string, path: string, body?: JsonObject): Promise<JsonObject> {
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
    const exitCode = exitCodeOf(response.status)
    throw new LedgerError(
      String(answer['code'] ?? 'REFUSED'),
      `${method} ${path}: ${String(answer['detail'] ?? response.status)}`,
      {
        retry: 'never',
        exitCode,
        ...(exitCode === EXIT.key ? { hint: `It was asked with ${this.#path(role)}. ${hintFor(role)}` } : {}),
      },
    )
  }

  #path(role: Role): string {
    return this.tokenFile ?? this.directory.file(`${role}.token`)
  }

  #token(role: Role): string {
    const path = this.#path(role)
    try {
      const token = readFileSync(path, 'utf8').trim()
      if (/^[\w-]+$/.test(token)) return token
      throw new Error('it holds no token')
    } catch (cause) {
      throw new LedgerError(
        'TOKEN_MISSING',
        `a service runs on this directory, and ${path} cannot be used to ask it: ${(cause as Error).message}`,
        { retry: 'never', hint: hintFor(role), exitCode: EXIT.key, cause },
      )
    }
  }
}

const hintFor = (role: Role): string =>
  `Name a file with ${role === 'approver' ? "an approver's" : "an operator's"} token: --token-file FILE, or EPSILON_TOKEN_FILE. Where nobody has one any more, stop the service and run this again on the directory: there it needs no token.`

const exitCodeOf = (status: number): number => {
  if (status === 404) return EXIT.notFound
  return status === 401 || status === 403 ? EXIT.key : EXIT.precondition
}
