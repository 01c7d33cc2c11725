import type { JsonObject } from '../../../ledger/record.js'
import { bodyOf } from '../deployments.js'
import { type Ask, ask, type Play, policy } from '../play.js'

/** The noise, the sampling and the steps of one epoch: 234 steps of the tutorial, as the file has it. */
export const TF_EPOCH = bodyOf('tf-privacy-mnist')

/** The steps of its 60 epochs, for which the policy chooses its order. */
export const TF_RUN = { ...TF_EPOCH, count: '14040' }

/** Training by DP-SGD: one spend an epoch, under one order chosen for the whole run. */
export const TRAININGS: readonly Play[] = [
  {
    id: 'tf-privacy-mnist',
    policies: [policy('tf-privacy-mnist', 'rdp', { epsilon: '2.595', delta: '1e-5', plannedFor: TF_RUN })],
    asked: '60 epochs',
    asks: epochs('tf-privacy-mnist', 60, TF_EPOCH),
    expected: { answered: '60 ok', spent: 'D8 1.3807…', left: 'D8 1.82…e-4' },
  },
  {
    // Each epoch sends what the accountant's history has grown by; its key is the run, the tuple and the steps so far.
    id: 'opacus-cifar10',
    policies: [
      policy('opacus-cifar10', 'rdp', {
        epsilon: '7',
        delta: '1e-5',
        plannedFor: { opacusHistory: [['1.5', '0.04', '2250']] },
      }),
    ],
    asked: '90 epochs',
    asks: epochs('opacus-cifar10', 90, bodyOf('opacus-cifar10'), 25),
    expected: { answered: '83 ok, 7 refused', spent: 'D4 3.9120…', left: 'D4 5.77…e-5' },
  },
]

function epochs(dataset: string, times: number, body: JsonObject, steps = 234): readonly Ask[] {
  return Array.from({ length: times }, (_, epoch) => ask('spend', dataset, `run-1:0:${(epoch + 1) * steps}`, body))
}
