import { ArrayNotEmpty, ArrayUnique, IsArray, IsIn, IsInt, IsNotEmptyObject, Min } from 'class-validator'
import { parseRational } from '../../accounting/rational.js'
import { RELATIONS } from '../../accounting/units.js'
import { nameFrom } from '../../budget/names.js'
import { ATTRIBUTES } from '../../budget/policy.js'
import { matchFrom } from '../../budget/policy-request.js'
import { WINDOW_KINDS } from '../../budget/window.js'
import { Optional, ReadBy } from './checks.js'

/** A policy as it is sent; `parsePolicy` reads it and computes its caps. */
export class PolicyDto {
  static readonly readByHand = true

  @ReadBy(nameFrom)
  id!: string

  @IsArray()
  @ArrayNotEmpty()
  @ArrayUnique()
  @IsIn(ATTRIBUTES, { each: true })
  scope!: string[]

  @Optional()
  @ReadBy(matchFrom)
  match?: unknown

  @IsIn(['pure', 'approx', 'zcdp', 'rdp'])
  metric!: string

  @ReadBy(parseRational)
  epsilon!: unknown

  @ReadBy(parseRational)
  delta!: unknown

  @IsIn(RELATIONS)
  neighboring!: string

  @IsIn(WINDOW_KINDS)
  window!: string

  @IsIn(['guarantee', 'quota'])
  role!: string

  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  orders?: unknown[]

  @Optional()
  @IsNotEmptyObject()
  plannedFor?: unknown

  @Optional()
  @ReadBy(parseRational)
  deltaForSpends?: unknown

  @Optional()
  @ReadBy(parseRational)
  alphaStar?: unknown

  @Optional()
  @ReadBy(parseRational)
  replaces?: unknown
}

export class ApprovalDto {
  @IsInt()
  @Min(1)
  version!: number
}
