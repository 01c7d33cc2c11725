import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresServer } from '../../support/postgres-server.js'
import { isAlive } from '../../support/test-server.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

const connect = async (): Promise<pg.Client> => {
  const client = new pg.Client(server().url)
  // A server that is killed ends the connection in the middle.
  client.on('error', () => undefined)
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return client
}

test('keeps what it committed, and nothing else, when it is killed and started', async () => {
  const client = await connect()
  await client.query('CREATE TABLE kept (what text)')
  await client.query("INSERT INTO kept VALUES ('committed')")
  await client.query('BEGIN')
  await client.query("INSERT INTO kept VALUES ('open')")
  await server().kill9()
  await expect(client.query('COMMIT')).rejects.toThrow()
  await expect(connect()).rejects.toThrow(/ECONNREFUSED/)
  await server().restart()
  expect((await (await connect()).query('SELECT what FROM kept')).rows).toEqual([{ what: 'committed' }])
})

test('answers nobody while it is frozen, and everybody when it goes on', async () => {
  const client = await connect()
  server().freeze()
  let answered = 0
  const count = (): number => answered++
  const answers = [client.query('SELECT 1').then(count), connect().then(count)]
  await sleep(300)
  expect(answered).toBe(0)
  server().thaw()
  await Promise.all(answers)
  expect(answered).toBe(2)
})

test('is killed with the processes that serve its connections, which cannot end by themselves while they are frozen', async () => {
  const { rows } = await (await connect()).query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const { pid } = rows[0]!
  server().freeze()
  expect(isAlive(pid)).toBe(true)
  await server().kill9()
  expect(isAlive(pid)).toBe(false)
  await server().restart()
})

test('ends in order though somebody is connected', async () => {
  const client = await connect()
  await server().term()
  expect(server().logTail()).toContain('database system is shut down')
  await expect(client.query('SELECT 1')).rejects.toThrow()
  await server().restart()
})

test('lets nobody in without the password', async () => {
  const wrong = new URL(server().url)
  wrong.password = 'guessed'
  await expect(new pg.Client(wrong.href).connect()).rejects.toThrow(/password authentication failed/)
})
