import { connect, type Socket } from 'node:net'

export interface RawReply {
  readonly status: number
  readonly body: Buffer
}

/**
 * One HTTP/1.1 connection that is kept open, for load: it costs the shared processors a fraction of what a general
 * client does. Understands answers with a Content-Length; one request is under way at a time.
 */
export class Connection {
  private received: Buffer = Buffer.alloc(0)
  private waiting: { resolve: (reply: RawReply) => void; reject: (error: Error) => void } | undefined
  /** Bytes of the whole answer, once its head is there. */
  private size: number | undefined
  private bodyFrom = 0

  private constructor(
    private readonly socket: Socket,
    private readonly head: string,
  ) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('error', (error) => this.waiting?.reject(error))
    socket.on('close', () => this.waiting?.reject(new Error('the connection was closed')))
  }

  static open(port: number, path: string, token: string): Promise<Connection> {
    const head =
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n` +
      'content-type: application/json\r\ncontent-length: '
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket, head)))
      socket.once('error', reject)
    })
  }

  /** `json` must be ASCII. */
  post(json: string): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.socket.write(`${this.head}${json.length}\r\n\r\n${json}`, 'latin1')
    })
  }

  close(): void {
    this.waiting = undefined
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    this.size ??= this.measure()
    if (this.size === undefined || this.received.length < this.size) return
    const reply = {
      status: Number(this.received.toString('latin1', 9, 12)),
      body: this.received.subarray(this.bodyFrom),
    }
    const { waiting } = this
    this.received = Buffer.alloc(0)
    this.size = undefined
    this.waiting = undefined
    waiting?.resolve(reply)
  }

  private measure(): number | undefined {
    const end = this.received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.received.toString('latin1', 0, end))?.[1]
    if (length === undefined) this.socket.destroy(new Error('an answer without a Content-Length'))
    this.bodyFrom = end + 4
    return this.bodyFrom + Number(length)
  }
}
