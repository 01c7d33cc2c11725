import { IsObject, Matches } from 'class-validator'
import { reasonFrom } from '../../budget/names.js'
import { Optional, ReadBy } from './checks.js'

/** An offset is a decimal string: it may pass 2^53. */
const IsOffset = () => Matches(/^(?:0|[1-9]\d{0,18})$/, { message: 'must be an offset as a decimal string' })

/** Where a partition goes on, and why the messages before are given up. */
export class ResetDto {
  @IsOffset()
  to!: string

  @ReadBy(reasonFrom)
  reason!: string
}

/** Names what is approved, so that nobody approves something else than was seen. */
export class ResetApprovalDto {
  @IsOffset()
  to!: string
}

/** One of the two: the report that the message was, or why it was none. */
export class ResolutionDto {
  @Optional()
  @IsObject()
  charge?: { readonly source?: unknown }

  @Optional()
  @IsObject()
  dismiss?: { readonly reason?: unknown }
}
