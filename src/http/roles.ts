import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { RouteConfig } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../budget/commands.js'
import type { TokenCreated } from '../budget/events.js'

export type TokenRole = TokenCreated['role']

/** Who may call a route. */
export type RouteRoles = readonly TokenRole[] | 'anyone'

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly roles?: RouteRoles
  }
}

/** Declares who may call a route, where the gate finds it before a body is read. */
export const Roles = (roles: RouteRoles): MethodDecorator => RouteConfig({ roles })

/** The page of the routes and its files: no controller declares them, and anybody may read them. */
const DOCUMENTS = /^\/docs(?:\/|$)/

/** Who may call the route of a request. A route that does not say is closed to everybody. */
export const rolesOf = ({ routeOptions: { config, url } }: FastifyRequest): RouteRoles =>
  config.roles ?? (DOCUMENTS.test(url ?? '') ? 'anyone' : [])

/** May read what concerns everybody. */
export const READERS: readonly TokenRole[] = ['auditor', 'operator', 'approver']

/** Where the gate leaves who asks. */
export interface Authenticated extends FastifyRequest {
  actor: Actor
}

/** Who asks, as the gate found out. */
export const By = createParamDecorator(
  (_: unknown, context: ExecutionContext): Actor => context.switchToHttp().getRequest<Authenticated>().actor,
)
