import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../support/free-port.js'
import { PostgresServer } from '../../support/postgres-server.js'
import { Service } from '../../support/service.js'
import { bash, blocksOf, newCheckout, replacedIn } from '../readme.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())
const checkout = newCheckout()

test('the section on a database server works as it is printed', async () => {
  const service = await Service.start({ data: join(checkout, 'data') })
  const emitter = service.client(await service.createToken('emitter', 'trainer'))
  expect((await emitter.get('/v1/spends/none')).status).toBe(404)
  await service.stop()
  const [one, two] = [await freePort(), await freePort()]
  const ports = replacedIn(blocksOf('On a database server'), { '4281': `${one}`, '4282': `${two}` })
  const script = ports.replace(/postgres:\/\/\S+/, server().url)
  const { code, output } = await bash(script, checkout)
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(/Copied up to record \d+/) })
  const heads = [...output.matchAll(/"head":(\{.*?\})/g)].map(([, head]) => head)
  expect(heads).toHaveLength(2)
  expect(heads[0]).toBe(heads[1])
  expect(output).toContain('Privacy guarantees verified')
})
