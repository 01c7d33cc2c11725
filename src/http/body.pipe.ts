import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common'
import { getMetadataStorage, type ValidationError, validateSync } from 'class-validator'
import { type ProblemDetail, ProblemError } from './problem.js'

/**
 * A class of decorators that describes a body. Where `readByHand` is set, a hand-written reader decides, and the class
 * is asked only once that has refused, to name all else that is wrong: a spend is decided in less time than its
 * decorators would take.
 */
export interface DtoClass {
  new (): object
  readonly readByHand?: true
}

/** Checks a body against its class, or leaves that to its reader; passes it on as it came. */
@Injectable()
export class BodyPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (type !== 'body' || metatype === undefined || !isDto(metatype)) return value
    if (metatype.readByHand && typeof value === 'object' && value !== null) {
      descriptions.set(value, metatype)
      return value
    }
    const problems = problemsOf(metatype, value)
    const [first] = problems
    if (first === undefined) return value
    throw new ProblemError('INVALID', first.detail, problems)
  }
}

/** The class of a body that is read by hand. */
const descriptions = new WeakMap<object, DtoClass>()

/** What the class of a refused body finds wrong with it. */
export const describedProblems = (body: unknown): readonly ProblemDetail[] => {
  const dto = typeof body === 'object' && body !== null ? descriptions.get(body) : undefined
  return dto === undefined ? [] : problemsOf(dto, body)
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

/** Everything that a class finds wrong with a body; empty for a good one. */
export const problemsOf = (dto: DtoClass, value: unknown): readonly ProblemDetail[] => {
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
