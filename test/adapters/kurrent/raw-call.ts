import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2'
import { constants } from 'node:http2'

/** What a server answered, message for message. */
export interface Answered {
  readonly messages: readonly Uint8Array[]
  /** Status, message and errors: of the trailers, or of the only headers. Null where the call was left open. */
  readonly trailers: Readonly<Record<string, string>> | null
  readonly trailersOnly: boolean
}

/** One gRPC call without a library, so that nothing is added and nothing is read into it. */
export class RawCall {
  private readonly stream
  private received: Buffer = Buffer.alloc(0)
  private readonly messages: Uint8Array[] = []
  private trailersOnly = false
  private trailers: Readonly<Record<string, string>> | null = null
  private readonly closed: Promise<void>
  private progress: () => void = () => undefined

  constructor(session: ClientHttp2Session, path: string, headers: Readonly<Record<string, string>>) {
    this.stream = session.request({ ':method': 'POST', ':path': path, ...headers })
    this.stream.on('response', (answer, flags) => {
      this.trailersOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
      if (this.trailersOnly) this.trailers = told(answer)
    })
    this.stream.on('trailers', (trailers) => {
      this.trailers = told(trailers)
    })
    this.stream.on('data', (chunk: Buffer) => this.take(chunk))
    // A server that refuses a message does not read the rest of it.
    this.stream.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.stream.once('close', resolve))
  }

  send(message: Uint8Array): void {
    const head = Buffer.alloc(HEAD)
    head.writeUInt32BE(message.length, 1)
    this.stream.write(Buffer.concat([head, message]))
  }

  /** No more messages will be sent. */
  end(): void {
    this.stream.end()
  }

  /** Resolves when so many messages have come, or the call has ended. */
  async until(count: number): Promise<void> {
    while (this.messages.length < count && !this.stream.closed)
      await Promise.race([this.closed, new Promise<void>((resolve) => (this.progress = resolve))])
  }

  /** Resolves when the server has ended the call. */
  async finished(): Promise<Answered> {
    await this.closed
    return this.answered()
  }

  /** Leaves the call open as it is. */
  cancel(): Answered {
    const answered = this.answered()
    this.stream.close(constants.NGHTTP2_CANCEL)
    return answered
  }

  private answered(): Answered {
    return { messages: this.messages, trailers: this.trailers, trailersOnly: this.trailersOnly }
  }

  private take(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk])
    for (;;) {
      const end = this.received.length < HEAD ? Number.POSITIVE_INFINITY : HEAD + this.received.readUInt32BE(1)
      if (this.received.length < end) break
      this.messages.push(this.received.subarray(HEAD, end))
      this.received = this.received.subarray(end)
    }
    this.progress()
  }
}

/** A flag and the length. */
const HEAD = 5

/** Without what every HTTP answer carries; a message beside success says no more than that. */
const told = (headers: IncomingHttpHeaders): Readonly<Record<string, string>> => {
  const names = ['exception', 'stream-name', 'expected-version', 'actual-version', 'maximum-append-size']
  const found = ['grpc-status', 'grpc-message', ...names].flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' && value !== '' ? [[name, decodeURIComponent(value)] as const] : []
  })
  return headers['grpc-status'] === '0' ? { 'grpc-status': '0' } : Object.fromEntries(found)
}
