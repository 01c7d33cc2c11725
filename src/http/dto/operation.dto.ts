import { IsIn, IsInt, Max, Min } from 'class-validator'
import { nameFrom, reasonFrom } from '../../budget/names.js'
import { matchFrom } from '../../budget/policy-request.js'
import type { TokenRole } from '../roles.js'
import { Optional, ReadBy } from './checks.js'

/** Why a person does something: kept in the record. */
export class ReasonDto {
  @ReadBy(reasonFrom)
  reason!: string
}

export class HaltDto {
  @Optional()
  @ReadBy(matchFrom)
  scope?: unknown

  @ReadBy(reasonFrom)
  reason!: string
}

export class TokenDto {
  @IsIn(['emitter', 'auditor', 'operator', 'approver'])
  role!: TokenRole

  @ReadBy(nameFrom)
  source!: string

  @Optional()
  @IsInt()
  @Min(1)
  @Max(3650)
  expiresInDays?: number
}
