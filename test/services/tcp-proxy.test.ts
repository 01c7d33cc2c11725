import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { TcpProxy } from '../support/tcp-proxy.js'

/** A server that answers every message with its length, through a proxy. */
const lengths = async (): Promise<{ proxy: TcpProxy; heard: string[] }> => {
  const heard: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      heard.push(chunk.toString())
      socket.write(`${chunk.length}`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await TcpProxy.start((server.address() as AddressInfo).port)
  onTestFinished(async () => {
    await proxy.stop()
    server.close()
  })
  return { proxy, heard }
}

const client = async (port: number): Promise<{ socket: Socket; ask: (text: string) => Promise<string> }> => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const ask = async (text: string): Promise<string> => {
    socket.write(text)
    return Promise.race([once(socket, 'data').then(String), once(socket, 'close').then(() => 'closed')])
  }
  onTestFinished(() => void socket.destroy())
  return { socket, ask }
}

test('passes on what both say', async () => {
  const { proxy, heard } = await lengths()
  const { ask } = await client(proxy.port)
  expect([await ask('abc'), await ask('abcd')]).toEqual(['3', '4'])
  expect([heard, proxy.passed]).toEqual([['abc', 'abcd'], 2])
})

test('loses the answer to what the server has got, and breaks that connection alone', async () => {
  const { proxy, heard } = await lengths()
  const [one, two] = [await client(proxy.port), await client(proxy.port)]
  proxy.loses = ({ asked, answer }) => asked === 3 && answer.toString() === '3'
  expect(await one.ask('ab')).toBe('2')
  expect(await one.ask('abc')).toBe('closed')
  expect(await two.ask('abcd')).toBe('4')
  expect([heard, proxy.lost]).toEqual([['ab', 'abc', 'abcd'], 1])
})

test('delays what is sent on the connections of now, though their client goes away', async () => {
  const { proxy, heard } = await lengths()
  const early = await client(proxy.port)
  await early.ask('a')
  const release = proxy.delayRequests()
  early.socket.write('early')
  await sleep(50)
  early.socket.destroy()
  expect(await (await client(proxy.port)).ask('late')).toBe('4')
  expect([heard, proxy.held]).toEqual([['a', 'late'], 5])
  release()
  await vi.waitFor(() => expect(heard).toEqual(['a', 'late', 'early']), { timeout: 60_000 })
})

test('stalls all connections, new ones too, and goes on', async () => {
  const { proxy, heard } = await lengths()
  const before = await client(proxy.port)
  await before.ask('a')
  const release = proxy.stall()
  const answers = [before.ask('before'), (await client(proxy.port)).ask('after')]
  await sleep(100)
  expect(heard).toEqual(['a'])
  release()
  expect(await Promise.all(answers)).toEqual(['6', '5'])
})

test('breaks all connections', async () => {
  const { proxy } = await lengths()
  const { socket, ask } = await client(proxy.port)
  await ask('a')
  proxy.cutAll()
  await once(socket, 'close')
})
