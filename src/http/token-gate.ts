import { hash, timingSafeEqual } from 'node:crypto'
import { Injectable, Logger, NotFoundException, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import { Service } from '../application/service.js'
import { isGood } from '../budget/authority.js'
import type { Registry, TokenEntry } from '../budget/registry.js'
import { ProblemError } from './problem.js'
import { type Authenticated, rolesOf, type TokenRole } from './roles.js'

type Tokens = Registry['tokens']

/**
 * Lets a request pass whose bearer token has a role that the route names, before any of its body is read. Everything else is
 * refused, and leaves a line in the process's own log: neither the token nor the path, which may name a person's data. What
 * appends a record is looked at once more when it is decided.
 */
@Injectable()
export class TokenGate implements OnModuleInit {
  private readonly logger = new Logger('access')
  private tokens: Tokens | undefined
  private byHash = new Map<string, TokenEntry>()

  constructor(
    private readonly service: Service,
    private readonly host: HttpAdapterHost<FastifyAdapter>,
  ) {}

  /** A guard of the framework would come too late: it is asked when the body has been read and parsed. */
  onModuleInit(): void {
    const server = this.host.httpAdapter.getInstance()
    server.addHook('onRequest', (request, _reply, done) => {
      // A body that no route takes is not read either.
      if (request.is404) return done(new NotFoundException())
      const roles = rolesOf(request)
      if (roles === 'anyone') return done()
      const secret = /^Bearer +([\w-]{1,128})$/i.exec(request.headers.authorization ?? '')?.[1]
      const token = this.tokenOf(secret)
      // Another instance may have made it a moment ago.
      const news = secret === undefined || token !== undefined ? undefined : this.service.news()
      if (news === undefined) return done(this.objectionTo(request, token, roles))
      void news.then(() => done(this.objectionTo(request, this.tokenOf(secret), roles)))
    })
  }

  private objectionTo(
    request: FastifyRequest,
    token: TokenEntry | undefined,
    roles: readonly TokenRole[],
  ): Error | undefined {
    if (token === undefined || !isGood(token, this.service.at()))
      return this.denied(request, 'UNAUTHENTICATED', undefined, roles)
    if (!roles.includes(token.role)) return this.denied(request, 'FORBIDDEN', token, roles)
    const admitted = request as Authenticated
    admitted.actor = { token: token.token, role: token.role, source: token.source }
    return undefined
  }

  /** One that has ended is found too. */
  private tokenOf(secret: string | undefined): TokenEntry | undefined {
    if (secret === undefined) return undefined
    const digest = hash('sha256', secret, 'hex')
    const token = this.known().get(digest)
    return token !== undefined && sameDigest(token.hash, digest) ? token : undefined
  }

  /** Tokens by digest: what a lookup gives away by its time is a digest's, of 256 random bits that nobody can choose. */
  private known(): Map<string, TokenEntry> {
    const { tokens } = this.service.state.registry
    if (tokens !== this.tokens) {
      this.byHash = new Map([...tokens.values()].map((token) => [token.hash, token]))
      this.tokens = tokens
    }
    return this.byHash
  }

  private denied(
    request: FastifyRequest,
    code: 'UNAUTHENTICATED' | 'FORBIDDEN',
    token: TokenEntry | undefined,
    roles: readonly TokenRole[],
  ): ProblemError {
    const route = `${request.method} ${request.routeOptions.url}`
    this.logger.warn(`${code} ${route} from ${request.ip}${token === undefined ? '' : ` with token ${token.token}`}`)
    if (token === undefined) return new ProblemError(code, 'send a valid token: authorization: Bearer …')
    return new ProblemError(code, `this needs the role ${roles.join(' or ')}, and the token has the role ${token.role}`)
  }
}

const sameDigest = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
