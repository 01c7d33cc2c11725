import { ANSWER_SCHEMAS } from './answers.js'
import { RELEASE_SCHEMAS } from './bodies.js'
import { REQUEST_SCHEMAS } from './requests.js'
import { NAME } from './values.js'

/** `components.schemas` of the document. */
export const SCHEMAS = { ...RELEASE_SCHEMAS, ...REQUEST_SCHEMAS, ...ANSWER_SCHEMAS }

export type SchemaName = string

export const schemaRef = (name: SchemaName): { readonly $ref: string } => {
  if (!Object.hasOwn(SCHEMAS, name)) throw new RangeError(`there is no schema ${name}`)
  return { $ref: `#/components/schemas/${name}` }
}

/** A name, where no reference can stand. */
export const LONG_NAME = NAME
