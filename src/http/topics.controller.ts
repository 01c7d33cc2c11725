import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import { SubmitCommand } from '../application/operation.handlers.js'
import { TopicsQuery } from '../application/topic.handlers.js'
import type { Actor } from '../budget/commands.js'
import { isTopic } from '../budget/topics.js'
import type { JsonObject } from '../ledger/record.js'
import { ResetApprovalDto, ResetDto } from './dto/topic.dto.js'
import { Endpoint, nameParam } from './endpoint.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { recorded } from './recorded.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const
const PLACE = {
  topic: nameParam('Whole name of the topic.', 'epsilon.spends'),
  partition: { description: 'Number of the partition.', schema: { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 } },
}

@Controller('v1/topics')
export class TopicsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Endpoint({
    summary: 'How far topics are consumed and published',
    description:
      'Offsets are those of the ledger: nothing is committed to the group, whose name changes with every start.',
    roles: READERS,
    answers: {
      200: { description: 'Every partition that this ledger takes, and why one does not run.', schema: 'Topics' },
    },
  })
  list(@Query() query: QueryString): Promise<JsonObject> {
    new QueryFields(query, [])
    return this.queries.execute(new TopicsQuery())
  }

  @Post(':topic/partitions/:partition/reset')
  @HttpCode(202)
  @Endpoint({
    summary: 'Propose where a partition goes on that lacks messages',
    description: 'What lies before is given up, and every proof names it. Another person has to approve.',
    roles: ['operator'],
    params: PLACE,
    body: 'ResetRequest',
    answers: { 202: { description: 'The reset waits for approval.', schema: 'TopicReset' } },
  })
  propose(
    @Param('topic') topic: string,
    @Param('partition') partition: string,
    @Body() { to, reason }: ResetDto,
    @By() actor: Actor,
  ): Promise<JsonObject> {
    const place = { topic: topicFrom(topic), partition: partitionFrom(partition) }
    return this.submit({ kind: 'propose-reset', ...place, to, reason, actor, cause: HTTP }, 'proposed')
  }

  @Post(':topic/partitions/:partition/reset/approve')
  @HttpCode(200)
  @Endpoint({
    summary: 'Approve a reset that another person proposed',
    roles: ['approver'],
    params: PLACE,
    body: 'ResetApprovalRequest',
    answers: { 200: { description: 'The partition goes on there.', schema: 'TopicReset' } },
    problems: ['PROPOSAL_MISMATCH'],
  })
  approve(
    @Param('topic') topic: string,
    @Param('partition') partition: string,
    @Body() { to }: ResetApprovalDto,
    @By() actor: Actor,
  ): Promise<JsonObject> {
    const place = { topic: topicFrom(topic), partition: partitionFrom(partition) }
    return this.submit({ kind: 'approve-reset', ...place, to, actor, cause: HTTP }, 'approved')
  }

  private async submit(
    command: Extract<
      ConstructorParameters<typeof SubmitCommand>[0],
      { readonly kind: 'propose-reset' | 'approve-reset' }
    >,
    status: 'proposed' | 'approved',
  ): Promise<JsonObject> {
    const { event, receipt } = recorded(await this.commands.execute(new SubmitCommand(command)))
    if (event.type !== 'TopicResetProposed' && event.type !== 'TopicResetApproved')
      throw new RangeError(`a reset was answered by a ${event.type}`)
    const { topic, partition, from, to } = event.data
    return { topic, partition, from, to, status, receipt: { ...receipt } }
  }
}

/** A name that brokers take for none cannot be reset. */
const topicFrom = (text: string): string => {
  if (isTopic(text)) return text
  throw new ProblemError('NOT_FOUND', `${JSON.stringify(text.slice(0, 40))} is no name of a topic`)
}

const partitionFrom = (text: string): number => {
  if (/^(?:0|[1-9]\d{0,9})$/.test(text) && Number(text) < 2 ** 31) return Number(text)
  throw new ProblemError('NOT_FOUND', `${JSON.stringify(text.slice(0, 40))} is no number of a partition`)
}
