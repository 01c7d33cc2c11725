import http from 'node:http'

/** What the service answered. `body` is the parsed JSON, or undefined where the answer is none. */
export interface Reply<Body = Record<string, unknown>> {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  readonly body: Body
}

interface Send {
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/** Speaks to one service as the holder of one token, over connections that are kept open. */
export class Client {
  private readonly agent: http.Agent

  constructor(
    readonly url: string,
    readonly token: string | undefined,
    connections = 64,
  ) {
    this.agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  }

  get<Body = Record<string, unknown>>(path: string, options?: Send): Promise<Reply<Body>> {
    return this.send('GET', path, undefined, options)
  }

  post<Body = Record<string, unknown>>(path: string, body: unknown, options?: Send): Promise<Reply<Body>> {
    return this.send('POST', path, JSON.stringify(body), options)
  }

  /** Sends `text` as it is. Rejects where the connection breaks before the whole answer is there. */
  send<Body = Record<string, unknown>>(
    method: string,
    path: string,
    text?: string,
    { headers = {}, timeoutMs = 60_000 }: Send = {},
  ): Promise<Reply<Body>> {
    const sent = {
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      ...headers,
    }
    return new Promise((resolve, reject) => {
      const request = http.request(
        this.url + path,
        { method, agent: this.agent, headers: sent, timeout: timeoutMs },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('aborted', () => reject(new Error('the connection broke in the middle of an answer')))
          response.on('end', () => resolve(replyOf(response, Buffer.concat(chunks).toString())))
        },
      )
      request.on('timeout', () => request.destroy(new Error(`no answer to ${method} ${path} within ${timeoutMs} ms`)))
      request.on('error', reject)
      request.end(text)
    })
  }

  close(): void {
    this.agent.destroy()
  }
}

const replyOf = <Body>(response: http.IncomingMessage, text: string): Reply<Body> => {
  const isJson =
    /\bjson\b/.test(response.headers['content-type'] ?? '') && !response.headers['content-type']?.includes('ndjson')
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : undefined) as Body,
  }
}
