import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What a server said first after a client had asked. */
export interface Exchange {
  /** Bytes that the client sent since the server last spoke on this connection. */
  readonly asked: number
  readonly answer: Buffer
}

/** A network between clients and a server on loopback, which fails when it is told to. */
export class TcpProxy {
  /** Which answers are lost: the server has said them, and the connection breaks before the client hears. None at first. */
  loses: (exchange: Exchange) => boolean = () => false
  /** Answers that were lost so far. */
  lost = 0
  /** Bytes that servers said, and that were passed on. */
  passed = 0
  private readonly links = new Set<Link>()
  private stalled: Gate | undefined

  private constructor(
    private readonly target: number,
    private readonly server: Server,
  ) {
    server.on('connection', (client) => this.link(client))
  }

  /** In front of a port of 127.0.0.1, which may be down. */
  static async start(target: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(target, server)
  }

  /** Of 127.0.0.1. */
  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Bytes that clients have sent, and that wait until something is let go. */
  get held(): number {
    return [...this.links].reduce((sum, { held }) => sum + held, 0)
  }

  /** Holds whatever is sent in either direction, on new connections too, until the function that it gives is called. */
  stall(): () => void {
    const gate = new Gate()
    this.stalled = gate
    for (const link of this.links) link.requests = link.answers = gate
    return () => {
      this.stalled = undefined
      gate.open()
    }
  }

  /**
   * Holds what clients send on the connections that are open now, until the function that it gives is called: the server
   * then gets it, though the client may be gone. New connections work.
   */
  delayRequests(): () => void {
    const gate = new Gate()
    for (const link of this.links) link.requests = gate
    return () => gate.open()
  }

  /** Breaks all connections. */
  cutAll(): void {
    for (const link of this.links) link.cut()
  }

  async stop(): Promise<void> {
    this.server.close()
    this.cutAll()
  }

  private link(client: Socket): void {
    const link = new Link(client, connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true }))
    if (this.stalled !== undefined) link.requests = link.answers = this.stalled
    this.links.add(link)
    const lose = (exchange: Exchange): boolean => {
      const lost = this.loses(exchange)
      if (lost) this.lost++
      else this.passed += exchange.answer.length
      return lost
    }
    void link.carry(lose).finally(() => this.links.delete(link))
  }
}

/** One connection, from the client to the server and back. */
class Link {
  requests = Gate.opened()
  answers = Gate.opened()
  held = 0
  private asked = 0

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
  ) {
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => socket.destroy())
  }

  async carry(loses: (exchange: Exchange) => boolean): Promise<void> {
    await Promise.all([this.carryRequests(), this.carryAnswers(loses)])
  }

  cut(): void {
    this.client.destroy()
    this.server.destroy()
  }

  private async carryRequests(): Promise<void> {
    for await (const chunk of chunksOf(this.client)) {
      this.asked += chunk.length
      this.held += chunk.length
      await this.requests.passed
      this.held -= chunk.length
      this.server.write(chunk)
    }
    await this.requests.passed
    this.server.end()
  }

  private async carryAnswers(loses: (exchange: Exchange) => boolean): Promise<void> {
    for await (const answer of chunksOf(this.server)) {
      await this.answers.passed
      if (loses({ asked: this.asked, answer })) return this.cut()
      this.asked = 0
      this.client.write(answer)
    }
    this.client.end()
  }
}

/** A connection that breaks ends like one that is closed. */
async function* chunksOf(socket: Socket): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Buffer
  } catch {
    // What was read before is all there is.
  }
}

class Gate {
  open: () => void = () => undefined
  readonly passed = new Promise<void>((resolve) => {
    this.open = resolve
  })

  static opened(): Gate {
    const gate = new Gate()
    gate.open()
    return gate
  }
}
