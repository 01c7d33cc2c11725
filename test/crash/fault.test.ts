import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Client } from '../support/client.js'
import { run, Service } from '../support/service.js'

const SYNCS = 'fsync,fdatasync'
const WRITES = 'pwrite64'

/** The n-th such call on the log's files fails, once: a disk that has failed once cannot be trusted with what it still holds. */
const CASES = [
  ...[1, 2, 3, 5, 17, 60].flatMap((when) => [
    { calls: SYNCS, when, clients: 1 },
    { calls: WRITES, when, clients: 1 },
  ]),
  { calls: SYNCS, when: 9, clients: 8 },
  { calls: WRITES, when: 40, clients: 8 },
]

for (const { calls, when, clients } of CASES) {
  test(`EIO from ${calls} number ${when}: no permit after it, and all before it are kept (clients: ${clients})`, async ({
    skip,
  }) => {
    if (!(await straceRuns())) {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error('strace is needed, and cannot be run here')
      skip('strace cannot be run here')
    }
    const { service, token } = await prepared()
    try {
      const trace = join(tmpdir(), `fault-${process.pid}-${calls.length}-${when}-${clients}`)
      const permits = await permitsUnderFault(service, token, { calls, when, clients, trace })
      const failedAt = await injectedAt(trace)
      // A single client waits for each answer, so the call that failed was its own; others may have an answer on its way.
      for (const { sentAt, answeredAt } of permits) expect(clients === 1 ? answeredAt : sentAt).toBeLessThan(failedAt)
      await rm(trace)
      await allKept(service, token, permits)
    } finally {
      await service.remove()
    }
  })
}

interface Permit {
  readonly id: string
  readonly seq: number
  readonly leaf: string
  /** Seconds since 1970. */
  readonly sentAt: number
  readonly answeredAt: number
}

interface Fault {
  readonly calls: string
  readonly when: number
  readonly clients: number
  /** Where strace writes. */
  readonly trace: string
}

const straceRuns = (): Promise<boolean> =>
  promisify(execFile)('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true']).then(
    () => true,
    () => false,
  )

/** A ledger with a policy, stopped. */
const prepared = async (): Promise<{ service: Service; token: string }> => {
  const service = await Service.start()
  const policy = {
    id: 'person',
    scope: ['unit'],
    metric: 'pure',
    epsilon: '4000',
    delta: '0',
    neighboring: 'add_or_remove_one',
    window: 'lifetime',
    role: 'guarantee',
  }
  expect((await (await service.as('operator')).post('/v1/policies', policy)).status).toBe(201)
  const token = await service.createToken('emitter', 'fault')
  await service.stop()
  return { service, token }
}

/** Spends until the service is gone, and answers with what it permitted. */
const permitsUnderFault = async (service: Service, token: string, fault: Fault): Promise<readonly Permit[]> => {
  const { calls, when, clients, trace } = fault
  const log = ['ledger.db', 'ledger.db-wal'].flatMap((name) => ['-P', join(service.data, name)])
  const inject = ['-e', `trace=${SYNCS},${WRITES}`, '-e', `inject=${calls}:error=EIO:when=${when}`]
  const launcher = ['strace', '-D', '-f', '-qq', '-ttt', '-o', trace, ...log, ...inject]
  const failing = await service.restart({ launcher }).catch((error: Error) => error)
  // The fault may have met the start itself: then nobody was answered at all.
  if (failing instanceof Error) return []
  const permits: Permit[] = []
  await Promise.all(
    Array.from({ length: clients }, (_, index) => spendUntilItFails(failing.client(token), `${index}`, permits)),
  )
  const exit = await failing.exited
  expect(exit, failing.output).toEqual({ code: 3, signal: null })
  expect(failing.output).toContain('APPEND_UNCERTAIN')
  return permits
}

const spendUntilItFails = async (client: Client, name: string, permits: Permit[]): Promise<void> => {
  for (let number = 0; number < 10_000; number++) {
    const id = `${name}-${number}`
    const sentAt = now()
    try {
      const reply = await client.post<{ receipt: { seq: number; leaf: string } }>('/v1/spends', spend(id))
      if (reply.status === 201) permits.push({ id, ...reply.body.receipt, sentAt, answeredAt: now() })
    } catch {
      return
    }
  }
  throw new Error('the service never failed')
}

const spend = (id: string): object => ({ id, unit: `u${id}`, mechanism: 'declared_pure', epsilon: '0.5' })

/** After a restart without the fault: everything that was permitted is there, and the rest can be asked again. */
const allKept = async (service: Service, token: string, permits: readonly Permit[]): Promise<void> => {
  const restarted = await service.restart({ launcher: [] })
  try {
    const client = restarted.client(token)
    for (const { id, seq, leaf } of permits) {
      const reply = await client.get(`/v1/spends/${id}`)
      expect(reply.body['receipt']).toMatchObject({ seq, leaf })
    }
    expect((await client.post('/v1/spends', spend('afterwards'))).status).toBe(201)
  } finally {
    await restarted.stop()
  }
  const { code, stdout } = await run('verify', '--data', service.data, '--json')
  expect(code, stdout).toBe(0)
}

/** When the first call was made to fail. */
const injectedAt = async (trace: string): Promise<number> => {
  const line = (await readFile(trace, 'utf8')).split('\n').find((text) => text.endsWith('(INJECTED)'))
  const seconds = /(\d{10}\.\d+)/.exec(line ?? '')?.[1]
  if (seconds === undefined) throw new Error('no call was made to fail')
  return Number(seconds)
}

const now = (): number => (performance.timeOrigin + performance.now()) / 1_000
