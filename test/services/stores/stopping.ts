import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Service } from '../../support/service.js'
import type { TestServer } from '../../support/test-server.js'

/** It takes three seconds, and more on a busy machine; who waits for the server's answer waits for thirty. */
const MOST_MS = 20_000

interface Place {
  readonly server: TestServer
  readonly environment: Readonly<Record<string, string>>
}

/** What has to hold for a service that is told to stop while the server of its store is away. */
export const stopsWithoutServer = (place: () => Place): void => {
  const started = async (): Promise<{ server: TestServer; service: Service }> => {
    const { server, environment } = place()
    const service = await Service.start({ environment: { ...environment, EPSILON_LEDGER: randomUUID() } })
    onTestFinished(() => service.remove())
    return { server, service }
  }

  test('a service that nobody waits for stops in order', async () => {
    const { server, service } = await started()
    server.freeze()
    const begun = performance.now()
    expect(await service.stop().finally(() => server.thaw())).toEqual({ code: 0, signal: null })
    expect(performance.now() - begun).toBeLessThan(MOST_MS)
  })

  test('an append that is under way is given up, nobody is answered, and the next start finds out', async () => {
    const { server, service } = await started()
    const operator = await service.as('operator')
    const created = { role: 'emitter', source: 'trainer' } as const
    expect(await operator.post('/v1/tokens', created)).toMatchObject({ status: 201 })
    server.freeze()
    const unanswered = operator.post('/v1/tokens', created).then(
      ({ status }) => status,
      () => 'nobody',
    )
    await sleep(500)
    const begun = performance.now()
    process.kill(service.pid, 'SIGTERM')
    const exit = await service.exited.finally(() => server.thaw())
    expect(exit, service.output).toEqual({ code: 3, signal: null })
    expect(performance.now() - begun).toBeLessThan(MOST_MS)
    expect(service.output).toContain('APPEND_UNCERTAIN')
    expect([503, 'nobody']).toContain(await unanswered)
    const again = await service.restart()
    onTestFinished(() => again.remove())
    const { body } = await (await again.as('operator')).get<{ tokens: readonly unknown[] }>('/v1/tokens')
    // Operator, approver, the first emitter, and perhaps the one that nobody was told of.
    expect([3, 4]).toContain(body.tokens.length)
  })
}
