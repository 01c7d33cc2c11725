import { ValidateBy, ValidateIf, type ValidationArguments } from 'class-validator'
import { AccountingError } from '../../accounting/errors.js'

/** Leaves a field out where it is not there; null is not the same. */
export const Optional = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined)

/** Checks a field with the function that reads it, so that the description cannot say something else than the reader. */
export const ReadBy = (read: (value: unknown, pointer: string) => unknown): PropertyDecorator =>
  ValidateBy({
    name: 'readBy',
    validator: {
      validate: (value) => problemOf(read, value) === undefined,
      defaultMessage: (found?: ValidationArguments) => problemOf(read, found?.value) ?? 'is not valid',
    },
  })

const problemOf = (read: (value: unknown, pointer: string) => unknown, value: unknown): string | undefined => {
  try {
    read(value, '')
    return undefined
  } catch (error) {
    if (error instanceof AccountingError) return error.detail
    throw error
  }
}
