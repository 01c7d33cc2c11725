import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { CommandHandler, Command as CqrsCommand, type ICommandHandler } from '@nestjs/cqrs'
import type { Actor, Command } from '../budget/commands.js'
import type { TokenCreated } from '../budget/events.js'
import { secondsAfter } from '../budget/window.js'
import type { Cause } from '../ledger/record.js'
import { Ledger, type Outcome } from './ledger.js'
import { Service } from './service.js'

/** Commands that need nothing computed: policies, approvals, halts, what people decide about topics, and the end of tokens. */
export type PlainCommand = Extract<
  Command,
  {
    readonly kind:
      | 'set-policy'
      | 'remove-policy'
      | 'approve-policy'
      | 'halt'
      | 'resume'
      | 'revoke-token'
      | 'propose-dismissal'
      | 'approve-dismissal'
      | 'propose-reset'
      | 'approve-reset'
  }
>

/** Hands a command to the writer as it is. */
export class SubmitCommand extends CqrsCommand<Outcome> {
  constructor(readonly command: PlainCommand) {
    super()
  }
}

@CommandHandler(SubmitCommand)
export class SubmitHandler implements ICommandHandler<SubmitCommand> {
  constructor(private readonly ledger: Ledger) {}

  execute({ command }: SubmitCommand): Promise<Outcome> {
    return this.ledger.submit(command)
  }
}

/** A token as its owner gets it, once. */
export interface NewToken {
  readonly created: TokenCreated
  /** 256 random bits in base64url; the ledger keeps their SHA-256 only. */
  readonly secret: string
  readonly outcome: Outcome
}

export interface TokenTerms {
  readonly role: TokenCreated['role']
  readonly source: string
  readonly expiresInDays?: number
}

export class CreateTokenCommand extends CqrsCommand<NewToken> {
  constructor(
    readonly terms: TokenTerms,
    readonly actor: Actor,
    readonly cause: Cause,
  ) {
    super()
  }
}

@CommandHandler(CreateTokenCommand)
export class CreateTokenHandler implements ICommandHandler<CreateTokenCommand> {
  constructor(
    private readonly ledger: Ledger,
    private readonly service: Service,
  ) {}

  async execute({ terms, actor, cause }: CreateTokenCommand): Promise<NewToken> {
    const secret = randomBytes(32).toString('base64url')
    const { role, source, expiresInDays: days } = terms
    const expiresAt = days === undefined ? null : secondsAfter(this.service.at(), days * 86_400)
    const hash = createHash('sha256').update(secret).digest('hex')
    const created = { token: randomUUID(), role, source, hash, expiresAt }
    return { created, secret, outcome: await this.ledger.submit({ kind: 'create-token', created, actor, cause }) }
  }
}

/** An operator says that the wall clock is right as it is now. */
export class ConfirmClockCommand extends CqrsCommand<Outcome> {
  constructor(
    readonly reason: string,
    readonly actor: Actor,
    readonly cause: Cause,
  ) {
    super()
  }
}

@CommandHandler(ConfirmClockCommand)
export class ConfirmClockHandler implements ICommandHandler<ConfirmClockCommand> {
  constructor(
    private readonly ledger: Ledger,
    private readonly service: Service,
  ) {}

  async execute({ reason, actor, cause }: ConfirmClockCommand): Promise<Outcome> {
    const outcome = await this.ledger.submit({ kind: 'confirm-clock', reason, actor, cause })
    // After the record: a crash between the two leaves a doubt that is confirmed again, never trust that nobody gave.
    this.service.confirmClock()
    return outcome
  }
}
