import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { freePort } from '../../support/free-port.js'
import { kafkaDistribution } from '../../support/kafka-distribution.js'
import { MissingPart } from '../../support/missing-part.js'
import { Service } from '../../support/service.js'
import { bash, blocksOf, newCheckout, replacedIn } from '../readme.js'

const checkout = newCheckout()
let missing: MissingPart | undefined

beforeAll(async () => {
  try {
    await kafkaDistribution()
  } catch (error) {
    if (!(error instanceof MissingPart) || process.env['REQUIRE_ALL'] === '1') throw error
    missing = error
  }
})

/** Other ports than the README's, which may be in use here. */
const elsewhere = async (): Promise<(text: string) => string> => {
  const [broker, controller, http] = [await freePort(), await freePort(), await freePort()]
  const words = { '9092': `${broker}`, '9093': `${controller}`, 'serve --data': `serve --port ${http} --data` }
  return (text) => replacedIn(text, words)
}

test('the section on Kafka works as it is printed', async ({ skip }) => {
  if (missing !== undefined) skip(missing.message)
  const service = await Service.start({ data: join(checkout, 'data') })
  const policy = { id: 'per-person', scope: ['unit'], metric: 'zcdp', epsilon: '1', delta: '1e-6' }
  const rest = { neighboring: 'add_or_remove_one', window: 'lifetime', role: 'guarantee' }
  await (await service.as('operator')).post('/v1/policies', { ...policy, ...rest })
  await service.stop()
  const moved = await elsewhere()
  const properties = join(checkout, 'docker/broker.properties')
  writeFileSync(properties, moved(readFileSync(properties, 'utf8')))
  const { code, output } = await bash(moved(blocksOf('With Kafka')), checkout)
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('made epsilon.spends') })
  expect(output).toMatch(/\{"id":"weekly-42","decision":"accepted","result":\d+\}/)
})
