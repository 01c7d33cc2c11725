import { Allow, ArrayNotEmpty, IsArray, IsIn, IsObject, IsString } from 'class-validator'
import { parseRational } from '../../accounting/rational.js'
import { RELATIONS } from '../../accounting/units.js'
import { nameFrom } from '../../budget/names.js'
import { Optional, ReadBy } from './checks.js'

/** The release itself: a mechanism with its parameters, or parts, or an event of another library. */
export class BodyDto {
  static readonly readByHand = true

  @Optional()
  @IsString()
  mechanism?: string

  @Optional()
  @ReadBy(parseRational)
  count?: unknown

  @Optional()
  @IsObject()
  sampling?: object

  @Optional()
  @ReadBy(parseRational)
  noiseMultiplier?: unknown

  @Optional()
  @ReadBy(parseRational)
  sigma?: unknown

  @Optional()
  @ReadBy(parseRational)
  sensitivity?: unknown

  @Optional()
  @ReadBy(parseRational)
  noiseParameter?: unknown

  @Optional()
  @ReadBy(parseRational)
  numBuckets?: unknown

  @Optional()
  @ReadBy(parseRational)
  epsilon?: unknown

  @Optional()
  @ReadBy(parseRational)
  delta?: unknown

  @Optional()
  @ReadBy(parseRational)
  rho?: unknown

  @Optional()
  @ReadBy(parseRational)
  xi?: unknown

  @Optional()
  @IsObject()
  curve?: object

  @Optional()
  @ReadBy(parseRational)
  mu?: unknown

  @Allow()
  steps?: unknown

  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  parts?: unknown[]

  @Optional()
  @IsObject()
  dpEvent?: object

  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  opacusHistory?: unknown[]
}

/** A spend without an id: what is estimated. */
export class EstimateDto extends BodyDto {
  @Optional()
  @ReadBy(nameFrom)
  unit?: string

  /** Up to 20,000: looked at one by one by the reader alone. */
  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  units?: string[]

  @Optional()
  @IsIn(['refuse', 'drop'])
  onExhausted?: string

  @Optional()
  @ReadBy(nameFrom)
  dataset?: string

  @Optional()
  @ReadBy(nameFrom)
  analyst?: string

  @Optional()
  @ReadBy(nameFrom)
  purpose?: string

  @Optional()
  @IsIn(RELATIONS)
  neighboring?: string

  @Optional()
  @IsObject()
  noise?: object

  @Optional()
  @IsObject()
  clipping?: object
}

export class SpendDto extends EstimateDto {
  @ReadBy(nameFrom)
  id!: string
}

export class ReportDto extends SpendDto {}

export class ReservationDto extends SpendDto {
  @ReadBy(parseRational)
  expiresInSeconds!: unknown
}

/** What really ran: a body, or the count of the reserved one. */
export class SettleDto extends BodyDto {}
