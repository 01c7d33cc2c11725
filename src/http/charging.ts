import type { ProblemCode } from './problem.js'

/** Codes of every route that charges budgets. */
export const CHARGE_PROBLEMS: readonly ProblemCode[] = [
  'BUDGET_EXHAUSTED',
  'COST_INFINITE',
  'ATTRIBUTE_REQUIRED',
  'NO_POLICY',
  'RELATION_MISMATCH',
  'UNSUPPORTED_MECHANISM',
  'UNSUPPORTED_SAMPLING',
  'IDEMPOTENCY_CONFLICT',
  'HALTED',
  'CLOCK_UNCERTAIN',
]

/** The header of an answer that was given before. */
export const REPLAYED = {
  'Idempotency-Replayed': {
    description: 'true where the same request was answered before.',
    schema: { const: 'true' },
  },
} as const
