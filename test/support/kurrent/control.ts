import { createServer, type IncomingMessage } from 'node:http'
import { type Conduct, type Faults, NO_FAULTS } from './faults.js'

/** Lets the tests say which faults they want: a PUT replaces all of them, and is answered when they are in force. */
export const listenForFaults = (port: number, conduct: Conduct): void => {
  const server = createServer((request, response) => {
    const done = request.method === 'PUT' ? bodyOf(request).then((faults) => conduct.follow(faults)) : Promise.resolve()
    done.then(
      () => response.end(),
      (error: unknown) => response.writeHead(400).end(String(error)),
    )
  })
  server.listen(port, '127.0.0.1')
}

/** Resolves when the double follows. */
export const sendFaults = async (port: number, faults: Partial<Faults>): Promise<void> => {
  const body = JSON.stringify(faults)
  const response = await fetch(`http://127.0.0.1:${port}`, { method: 'PUT', body })
  if (!response.ok) throw new Error(`the double answered ${response.status}: ${await response.text()}`)
}

const bodyOf = async (request: IncomingMessage): Promise<Faults> => {
  let text = ''
  for await (const chunk of request) text += chunk
  return { ...NO_FAULTS, ...(JSON.parse(text) as Partial<Faults>) }
}
