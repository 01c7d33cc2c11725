import { amountsShown, standing } from '../budget/answer.js'
import type { Estimate, EstimatedBudget } from '../budget/estimate.js'
import type { JsonObject } from '../ledger/record.js'

/** An estimate as callers see it; `repetitions` is null where there is no end to them. */
export type EstimateView = JsonObject & { readonly budgets: readonly JsonObject[] }

/** Of more budgets than are shown, those that refuse come first. */
export const estimateView = ({
  admitted,
  budgets,
  budgetCount,
  largestCount,
  repetitions,
}: Estimate): EstimateView => ({
  admitted,
  largestCount: Number(largestCount),
  repetitions: repetitions === undefined ? null : String(repetitions),
  budgetCount,
  budgets: budgets.map(shown),
})

const shown = ({ policy, key, window, admitted, spent, reserved, requested }: EstimatedBudget): JsonObject => ({
  policy: policy.id,
  key,
  window,
  admitted,
  ...standing(policy, { spent, reserved }),
  requested: amountsShown(policy.metric, requested),
})
