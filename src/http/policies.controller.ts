import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import type { FastifyReply } from 'fastify'
import { Ledger } from '../application/ledger.js'
import { SubmitCommand } from '../application/operation.handlers.js'
import { policyView } from '../application/policy-view.js'
import { PoliciesQuery, PolicyQuery } from '../application/query.handlers.js'
import { Service } from '../application/service.js'
import type { Actor } from '../budget/commands.js'
import type { Answered } from '../budget/decider.js'
import { parsePolicy } from '../budget/policy-request.js'
import { lastHeld } from '../budget/registry.js'
import type { JsonObject } from '../ledger/record.js'
import { ApprovalDto, PolicyDto } from './dto/policy.dto.js'
import { Endpoint, nameParam } from './endpoint.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { recorded } from './recorded.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const
const ID = { id: nameParam('The id of the policy.', 'lifetime') }

@Controller('v1/policies')
export class PoliciesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly service: Service,
    private readonly ledger: Ledger,
  ) {}

  @Post()
  @Endpoint({
    summary: 'Set a policy, or change one',
    description:
      'A new policy and one that only tightens hold at once. Everything else that could admit what was refused before waits for an approver.',
    roles: ['operator'],
    body: 'PolicyRequest',
    answers: {
      200: { description: 'A tighter version holds.', schema: 'PolicySet' },
      201: { description: 'The new policy holds.', schema: 'PolicySet' },
      202: { description: 'The change waits for approval by another person.', schema: 'PolicySet' },
    },
    problems: [
      'VERSION_MISMATCH',
      'RELATION_CONFLICT',
      'POLICY_LIMIT',
      'RELATION_MISMATCH',
      'UNSUPPORTED_MECHANISM',
      'UNSUPPORTED_SAMPLING',
    ],
  })
  async set(@Body() body: PolicyDto, @By() actor: Actor, @Res({ passthrough: true }) reply: FastifyReply) {
    const costs = await this.ledger.plannedCosts(body)
    const held = lastHeld(this.service.state.registry.policies.get(body.id))
    const { terms, replaces, warnings } = parsePolicy(body, held, costs)
    const named = replaces === undefined ? {} : { replaces }
    const done = await this.submit({ kind: 'set-policy', terms, ...named, actor, cause: HTTP })
    const { status, answer } = setAnswer(done)
    reply.status(status)
    return { ...answer, warnings: [...warnings] }
  }

  @Get()
  @Endpoint({
    summary: 'All policies',
    roles: READERS,
    answers: { 200: { description: 'Every policy id with what holds and what waits.', schema: 'Policies' } },
  })
  list(@Query() query: QueryString): Promise<JsonObject> {
    new QueryFields(query, [])
    return this.queries.execute(new PoliciesQuery())
  }

  @Get(':id')
  @Endpoint({
    summary: 'One policy with its history',
    roles: READERS,
    params: ID,
    answers: { 200: { description: 'What holds, what waits, and all that happened.', schema: 'PolicyHistory' } },
  })
  async one(@Param('id') id: string, @Query() query: QueryString): Promise<JsonObject> {
    new QueryFields(query, [])
    const policy = await this.queries.execute(new PolicyQuery(id))
    if (policy !== undefined) return policy
    throw new ProblemError('NOT_FOUND', `there was never a policy ${JSON.stringify(id)}`)
  }

  @Post(':id/approve')
  @HttpCode(200)
  @Endpoint({
    summary: 'Approve what another person proposed',
    roles: ['approver'],
    params: ID,
    body: 'ApprovalRequest',
    answers: {
      200: { description: 'The proposed version holds, or the policy is removed.', schema: 'PolicyApproved' },
    },
    problems: ['VERSION_MISMATCH', 'RELATION_CONFLICT', 'POLICY_LIMIT'],
  })
  async approve(@Param('id') id: string, @Body() { version }: ApprovalDto, @By() actor: Actor): Promise<JsonObject> {
    const { receipt } = await this.submit({ kind: 'approve-policy', id, version, actor, cause: HTTP })
    return { id, version, status: 'approved', receipt: { ...receipt } }
  }

  @Delete(':id')
  @HttpCode(202)
  @Endpoint({
    summary: 'Propose to remove a policy',
    description: 'It holds until an approver agrees.',
    roles: ['operator'],
    params: ID,
    answers: { 202: { description: 'The removal waits for approval.', schema: 'RemovalProposed' } },
    problems: ['BUSY', 'SHUTTING_DOWN', 'APPEND_UNCERTAIN'],
  })
  async remove(@Param('id') id: string, @By() actor: Actor): Promise<JsonObject> {
    const { event, receipt } = await this.submit({ kind: 'remove-policy', id, actor, cause: HTTP })
    if (event.type !== 'PolicyRemovalProposed') throw new RangeError(`a removal was answered by a ${event.type}`)
    return { id, version: event.data.version, status: 'proposed', receipt: { ...receipt } }
  }

  private async submit(command: ConstructorParameters<typeof SubmitCommand>[0]): Promise<Answered> {
    return recorded(await this.commands.execute(new SubmitCommand(command)))
  }
}

const setAnswer = ({ event, receipt }: Answered): { readonly status: number; readonly answer: JsonObject } => {
  if (event.type !== 'PolicySet' && event.type !== 'PolicyProposed')
    throw new RangeError(`a policy was answered by a ${event.type}`)
  const { policy, replaces } = event.data
  const { id, version } = policy
  const proposed = event.type === 'PolicyProposed'
  return {
    status: proposed ? 202 : replaces === null ? 201 : 200,
    answer: {
      id,
      version,
      status: proposed ? 'proposed' : 'active',
      policy: policyView(policy),
      receipt: { ...receipt },
    },
  }
}
