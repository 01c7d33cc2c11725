import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common'
import { getMetadataStorage, type ValidationError, validateSync } from 'class-validator'
import { AccountingError } from '../accounting/errors.js'
import { PROBLEMS, type ProblemCode, type ProblemDetail, ProblemError } from './problem.js'

/** A class of decorators that describes a body. `read` is the hand-written reader that has the last word on it. */
export interface DtoClass {
  new (): object
  readonly read?: (wire: unknown) => unknown
}

/**
 * Checks a body against its class, and passes it on as it came. All that is wrong is named at once; the code is the one
 * that the body's reader gives it, so that a spend is refused alike on its own and in a batch.
 */
@Injectable()
export class BodyPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (type !== 'body' || metatype === undefined || !isDto(metatype)) return value
    const problems = problemsOf(metatype, value)
    const [first] = problems
    if (first === undefined) return value
    throw refusal(metatype, value, problems, first)
  }
}

const known = new Map<unknown, ReadonlySet<string>>()

/** The fields that a class describes; none for a class that is no DTO. */
const fieldsOf = (metatype: unknown): ReadonlySet<string> => {
  const found = known.get(metatype)
  if (found !== undefined) return found
  const metadata = getMetadataStorage().getTargetValidationMetadatas(metatype as DtoClass, '', false, false)
  const fields = new Set(metadata.map(({ propertyName }) => propertyName))
  known.set(metatype, fields)
  return fields
}

const isDto = (metatype: unknown): metatype is DtoClass => fieldsOf(metatype).size > 0

const problemsOf = (dto: DtoClass, value: unknown): readonly ProblemDetail[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ pointer: '', detail: 'expected a JSON object' }]
  }
  const fields = fieldsOf(dto)
  // Before anything is copied: a member named __proto__ would become the copy's prototype.
  const unknown = Object.keys(value).filter((name) => !fields.has(name))
  if (unknown.length > 0) return unknown.slice(0, MOST_SHOWN).map(unknownField)
  const errors = validateSync(Object.assign(new dto(), value), OPTIONS)
  return errors.flatMap((error) => detailsOf(error, ''))
}

const OPTIONS = { forbidUnknownValues: true, stopAtFirstError: true, validationError: { target: false, value: false } }
const MOST_SHOWN = 100

const unknownField = (name: string): ProblemDetail => ({
  pointer: `/${pointerPart(name)}`,
  detail: `unknown field ${JSON.stringify(name.slice(0, 40))}`,
})

const detailsOf = ({ property, constraints, children }: ValidationError, above: string): readonly ProblemDetail[] => {
  const pointer = `${above}/${pointerPart(property)}`
  const own = Object.values(constraints ?? {}).map((detail) => ({ pointer, detail }))
  return [...own, ...(children ?? []).flatMap((child) => detailsOf(child, pointer))]
}

const pointerPart = (name: string): string => name.slice(0, 40).replaceAll('~', '~0').replaceAll('/', '~1')

const refusal = (
  dto: DtoClass,
  value: unknown,
  problems: readonly ProblemDetail[],
  first: ProblemDetail,
): ProblemError => {
  const error = readerError(dto, value)
  if (error === undefined) return new ProblemError('INVALID', first.detail, problems)
  const own = { pointer: error.pointer, detail: error.detail }
  const others = problems.filter(({ pointer }) => pointer !== own.pointer)
  return new ProblemError(codeOf(error), error.detail, [own, ...others])
}

const readerError = (dto: DtoClass, value: unknown): AccountingError | undefined => {
  try {
    dto.read?.(value)
    return undefined
  } catch (error) {
    if (error instanceof AccountingError) return error
    throw error
  }
}

const codeOf = ({ code }: AccountingError): ProblemCode => (PROBLEMS[code][0] === 422 ? code : 'INVALID')
