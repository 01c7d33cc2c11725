import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Service } from '../application/service.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'

/** How long a query waits for the position that it asks for. */
const WAIT_MS = 2_000

/** Holds a query back until the state reflects the record that `?atLeast=` names. */
@Injectable()
export class PositionGuard implements CanActivate {
  constructor(private readonly service: Service) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const query = context.switchToHttp().getRequest<FastifyRequest>().query as QueryString
    if (query['atLeast'] === undefined) return true
    const seq = new QueryFields({ atLeast: query['atLeast'] }, []).integer('atLeast', 0) ?? 0
    if (await this.service.reaches(seq, WAIT_MS)) return true
    throw new ProblemError(
      'NOT_READY',
      `record ${seq} is not there yet; the last one is ${this.service.position().seq}`,
    )
  }
}
