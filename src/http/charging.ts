import type { ProblemCode } from './problem.js'

/** Codes of every route that charges budgets. */
export const CHARGE_PROBLEMS: readonly ProblemCode[] = [
  'BUDGET_EXHAUSTED',
  'COST_INFINITE',
  'UNDECIDED',
  'ATTRIBUTE_REQUIRED',
  'NO_POLICY',
  'RELATION_MISMATCH',
  'UNSUPPORTED_MECHANISM',
  'UNSUPPORTED_SAMPLING',
  'IDEMPOTENCY_CONFLICT',
  'HALTED',
  'RECOVERING',
  'CLOCK_UNCERTAIN',
]

/** Codes of what has happened already: it is charged whether there is room or not, and no halt stops it. */
export const REPORT_PROBLEMS: readonly ProblemCode[] = CHARGE_PROBLEMS.filter(
  (code) => !['HALTED', 'RECOVERING', 'BUDGET_EXHAUSTED', 'COST_INFINITE', 'UNDECIDED'].includes(code),
)

/** The header of an answer that was given before. */
export const REPLAYED = {
  'Idempotency-Replayed': {
    description: 'true where the same request was answered before.',
    schema: { const: 'true' },
  },
} as const
