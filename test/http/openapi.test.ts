import 'reflect-metadata'
import { getMetadataStorage } from 'class-validator'
import { expect, test } from 'vitest'
import { parsePolicy } from '../../src/budget/policy-request.js'
import { parseRequest } from '../../src/budget/request.js'
import { HaltDto, ReasonDto, TokenDto } from '../../src/http/dto/operation.dto.js'
import { ApprovalDto, PolicyDto } from '../../src/http/dto/policy.dto.js'
import { EstimateDto, ReportDto, ReservationDto, SettleDto, SpendDto } from '../../src/http/dto/spend.dto.js'
import { ResetApprovalDto, ResetDto, ResolutionDto } from '../../src/http/dto/topic.dto.js'
import { SCHEMAS } from '../../src/http/openapi/schemas.js'
import type { Schema } from '../../src/http/openapi/values.js'

const schemas = SCHEMAS as Readonly<Record<string, Schema>>

/** The names of all fields that some form of a body has. */
const fieldsOf = (schema: Schema): readonly string[] => {
  const name = /[^/]+$/.exec(String(schema['$ref'] ?? ''))?.[0]
  if (name !== undefined) return fieldsOf(schemas[name] ?? {})
  const forms = [schema['oneOf'], schema['anyOf']].flat().filter((form) => form !== undefined) as Schema[]
  return [...new Set([...Object.keys(schema['properties'] ?? {}), ...forms.flatMap(fieldsOf)])].sort()
}

const describedBy = (dto: new () => object): readonly string[] =>
  [
    ...new Set(
      getMetadataStorage()
        .getTargetValidationMetadatas(dto, '', false, false)
        .map(({ propertyName }) => propertyName),
    ),
  ].sort()

test.each([
  ['SpendRequest', SpendDto],
  ['EstimateRequest', EstimateDto],
  ['ReportRequest', ReportDto],
  ['ReservationRequest', ReservationDto],
  ['SettleRequest', SettleDto],
  ['PolicyRequest', PolicyDto],
  ['ApprovalRequest', ApprovalDto],
  ['HaltRequest', HaltDto],
  ['ReasonRequest', ReasonDto],
  ['TokenRequest', TokenDto],
  ['ResetRequest', ResetDto],
  ['ResetApprovalRequest', ResetApprovalDto],
  ['ResolutionRequest', ResolutionDto],
] as const)('%s has the same fields in the document and in its class', (name, dto) => {
  expect(fieldsOf(schemas[name] ?? {})).toEqual(describedBy(dto))
})

test.each([
  ['SpendRequest', (wire: unknown) => parseRequest('spend', wire, 's')],
  ['EstimateRequest', (wire: unknown) => parseRequest('estimate', wire, 's')],
  ['ReportRequest', (wire: unknown) => parseRequest('report', wire, 's')],
  ['ReservationRequest', (wire: unknown) => parseRequest('reserve', wire, 's')],
  ['PolicyRequest', (wire: unknown) => parsePolicy(wire)],
] as const)('the examples of %s are what they show', (name, read) => {
  const examples = schemas[name]?.['examples'] as readonly unknown[]
  expect(examples.length).toBeGreaterThan(0)
  for (const example of examples) expect(() => read(example)).not.toThrow()
})
