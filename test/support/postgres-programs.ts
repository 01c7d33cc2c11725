import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { MissingPart } from './missing-part.js'
import type { Account } from './test-server.js'

const PROGRAMS = ['postgres', 'initdb', 'psql', 'pgbench'] as const
const DEBIAN = '/usr/lib/postgresql'

export type PostgresProgram = (typeof PROGRAMS)[number]

export interface PostgresPrograms {
  readonly paths: Readonly<Record<PostgresProgram, string>>
  /** What `postgres --version` says. */
  readonly version: string
  /** PostgreSQL refuses to run as root: then this account is taken. */
  readonly account: Account | undefined
}

/** Finds the programs on the path, or where Debian puts them. Throws `MissingPart` where one is not there. */
export const postgresPrograms = async (): Promise<PostgresPrograms> => {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...debianFolders()]
  const paths = Object.fromEntries(PROGRAMS.map((name) => [name, find(name, folders)])) as PostgresPrograms['paths']
  const { stdout } = await execute(paths.postgres, ['--version'])
  return { paths, version: stdout.trim(), account: process.getuid?.() === 0 ? await unprivileged() : undefined }
}

const execute = promisify(execFile)

const find = (name: string, folders: readonly string[]): string => {
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
  if (path === undefined) throw new MissingPart(`PostgreSQL is not installed: no ${name} on the PATH or in ${DEBIAN}`)
  return path
}

const debianFolders = (): readonly string[] =>
  existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : []

const unprivileged = (): Promise<Account> => accountOf('postgres').catch(() => accountOf('nobody'))

const accountOf = async (user: string): Promise<Account> => {
  const idOf = async (flag: string) => Number((await execute('id', [flag, user])).stdout)
  return { uid: await idOf('-u'), gid: await idOf('-g') }
}
