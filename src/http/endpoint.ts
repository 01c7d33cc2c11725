import { applyDecorators } from '@nestjs/common'
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiSecurity } from '@nestjs/swagger'
import { LONG_NAME, type SchemaName, schemaRef } from './openapi/schemas.js'
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from './problem.js'
import { Roles, type RouteRoles } from './roles.js'

/** What a route promises: who may call it, what it takes, and every answer that it can give. */
export interface Contract {
  readonly summary: string
  readonly description?: string
  readonly roles: RouteRoles
  readonly params?: Readonly<Record<string, Parameter>>
  readonly query?: Readonly<Record<string, Parameter>>
  readonly body?: SchemaName
  /** Status → what a success looks like. */
  readonly answers: Readonly<Record<number, Success>>
  /** Codes beside those that every route of its kind has. */
  readonly problems?: readonly ProblemCode[]
}

interface Parameter {
  readonly description: string
  readonly schema: object
  readonly required?: boolean
  readonly example?: string | number
}

interface Success {
  readonly description: string
  readonly schema?: SchemaName
  /** `application/json` where nothing is said. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: object }>>
}

/** Declares a route's contract once: the gate enforces the roles, and `/docs` shows the rest. */
export const Endpoint = (contract: Contract): MethodDecorator =>
  applyDecorators(
    Roles(contract.roles),
    ApiOperation({
      summary: contract.summary,
      ...(contract.description === undefined ? {} : { description: contract.description }),
    }),
    ...(contract.roles === 'anyone' ? [ApiSecurity({})] : contract.roles.map((role) => ApiSecurity(role))),
    ...Object.entries(contract.params ?? {}).map(([name, parameter]) => ApiParam({ name, ...parameter })),
    ...Object.entries(contract.query ?? {}).map(([name, parameter]) =>
      ApiQuery({ name, required: false, ...parameter }),
    ),
    ...(contract.body === undefined ? [] : [ApiBody({ required: true, schema: schemaRef(contract.body) })]),
    ...Object.entries(contract.answers).map(([status, success]) => successResponse(Number(status), success)),
    ...problemResponses(codesOf(contract)),
  ) as MethodDecorator

const successResponse = (status: number, { description, schema, type = 'application/json', headers }: Success) =>
  ApiResponse({
    status,
    description,
    ...(headers === undefined ? {} : { headers: { ...headers } }),
    ...(schema === undefined ? {} : { content: { [type]: { schema: schemaRef(schema) } } }),
  })

/** Every code that a route can answer with: its own, and those of its kind. */
const codesOf = ({ roles, params, body, problems = [] }: Contract): readonly ProblemCode[] => [
  'MALFORMED',
  ...(roles === 'anyone' ? [] : (['UNAUTHENTICATED', 'FORBIDDEN', 'INVALID', 'NOT_READY'] as const)),
  ...(params === undefined ? [] : (['NOT_FOUND'] as const)),
  ...(body === undefined
    ? []
    : ([
        'TOO_LARGE',
        'UNSUPPORTED_MEDIA_TYPE',
        'INVALID_NUMBER',
        'OUT_OF_RANGE',
        'BUSY',
        'SHUTTING_DOWN',
        'APPEND_UNCERTAIN',
      ] as const)),
  ...problems,
  'INTERNAL',
]

/** One response a status, with all its codes. */
const problemResponses = (codes: readonly ProblemCode[]): readonly MethodDecorator[] => {
  const distinct = [...new Set(codes)]
  return [...new Set(distinct.map((code) => PROBLEMS[code][0]))].map((status) => {
    const group = distinct.filter((code) => PROBLEMS[code][0] === status)
    const schema = schemaRef(REFUSALS.some((code) => group.includes(code)) ? 'RefusalProblem' : 'Problem')
    return ApiResponse({
      status,
      description: group.map((code) => `\`${code}\`: ${PROBLEMS[code][1].toLowerCase()}.`).join(' '),
      content: { [PROBLEM_TYPE]: { schema } },
      headers: headersOf(status),
    })
  })
}

const REFUSALS: readonly ProblemCode[] = ['BUDGET_EXHAUSTED', 'COST_INFINITE']

const headersOf = (status: number) => {
  if (status === 503) return { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } }
  if (status === 401) return { 'WWW-Authenticate': { description: 'Bearer.', schema: { type: 'string' } } }
  return {}
}

/** A path parameter that is a name. */
export const nameParam = (description: string, example: string): Parameter => ({
  description,
  schema: LONG_NAME,
  example,
})
