import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Client } from '../../support/client.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { Stage } from './stage.js'

describe('a ledger that is stopped in order', () => {
  const broker = withServer(() => KafkaBroker.start())

  test('has sent what it decided a moment before', async () => {
    const stage = await Stage.open(broker(), { epsilon: '100' })
    const emitter = stage.service.client(await stage.service.createToken('emitter', 'trainer'))
    while ((await emitter.get('/health/ready')).status !== 200) await sleep(50)
    const spends = Array.from({ length: 2_000 }, (_, index) => ({
      id: `last-${index}`,
      unit: `u${index}`,
      mechanism: 'laplace',
      noiseMultiplier: '100',
    }))
    const batches = Array.from({ length: 2 }, (_, index) => spends.slice(index * 1_000, (index + 1) * 1_000))
    const replies = await Promise.all(batches.map((batch) => emitter.post('/v1/spends/batch', { spends: batch })))
    expect(replies.map(({ status }) => status)).toEqual(batches.map(() => 200))
    await stage.service.stop()
    const sent = await stage.messages('decisions')
    expect(sent.map(({ headers }) => headers['ce_subject']).sort()).toEqual(spends.map(({ id }) => id).sort())
    await stage.close()
  })

  test('ends though no broker is there', async () => {
    const stage = await Stage.open(broker())
    const emitter = stage.service.client(await stage.service.createToken('emitter', 'trainer'))
    while ((await emitter.get('/health/ready')).status !== 200) await sleep(50)
    await broker().kill9()
    const spend = { id: 'unheard', unit: 'u1', mechanism: 'laplace', noiseMultiplier: '100' }
    expect((await emitter.post('/v1/spends', spend)).status).toBe(201)
    await sleep(2_000)
    await stage.service.stop()
    await broker().restart()
    await stage.restart()
    await until(async () =>
      (await stage.messages('decisions')).some(({ headers }) => headers['ce_subject'] === 'unheard'),
    )
    await stage.close()
  })

  // Supervisors kill after 10 s, and then nothing is put in order.
  test.each([
    ['ledger', 201, undefined],
    ['journal', 503, 'APPEND_UNCERTAIN'],
  ])('ends in time though brokers say nothing, with EPSILON_ACK=%s', async (acknowledge, status, code) => {
    const stage = await Stage.open(broker(), { environment: { EPSILON_ACK: acknowledge } })
    const token = await stage.service.createToken('emitter', 'trainer')
    const spend = { id: 'unsent', unit: 'u1', mechanism: 'laplace', noiseMultiplier: '100' }
    broker().freeze()
    const emitter = new Client(stage.service.url, token)
    const asked = emitter.post<{ readonly code?: string }>('/v1/spends', spend)
    await sleep(1_000)
    const stoppedAt = performance.now()
    expect(await stage.service.stop()).toEqual({ code: 0, signal: null })
    // Six seconds, and more on a busy machine; one thing waited for after the other took fourteen.
    expect(performance.now() - stoppedAt).toBeLessThan(12_000)
    const reply = await asked
    expect([reply.status, reply.body.code]).toEqual([status, code])
    emitter.close()
    broker().thaw()
    await stage.restart()
    await until(async () =>
      (await stage.messages('decisions')).some(({ headers }) => headers['ce_subject'] === 'unsent'),
    )
    expect((await stage.service.client(token).post('/v1/spends', spend)).status).toBe(201)
    expect(await stage.decisions()).toBe(1)
    await stage.close()
  })
})

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + 180_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to that within three minutes')
    await sleep(200)
  }
}
