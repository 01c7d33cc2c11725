import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../budget/commands.js'
import type { TokenCreated } from '../budget/events.js'

export type TokenRole = TokenCreated['role']

/** Who may call a route. A route that does not say is closed to everybody. */
export const Roles = Reflector.createDecorator<readonly TokenRole[] | 'anyone'>()

/** May read what concerns everybody. */
export const READERS: readonly TokenRole[] = ['auditor', 'operator', 'approver']

/** Where the guard leaves who asks. */
export interface Authenticated extends FastifyRequest {
  actor: Actor
}

/** Who asks, as the guard found out. */
export const By = createParamDecorator(
  (_: unknown, context: ExecutionContext): Actor => context.switchToHttp().getRequest<Authenticated>().actor,
)
