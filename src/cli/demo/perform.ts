import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../ledger/record.js'
import { playCensus } from './census.js'
import { playCrash } from './crash.js'
import { playDeployments } from './play-deployments.js'
import { playProof } from './proof.js'
import { Stage } from './stage.js'
import type { Story } from './story.js'
import { playTamper } from './tamper.js'
import { playTraining } from './training.js'

/** What was found, step by step; where a step failed, which one and why. */
export type Performance =
  | ({ readonly ok: true } & JsonObject)
  | { readonly ok: false; readonly failedIn: string; readonly why: string }

/** Plays all steps in order on one ledger; the story tells each as it ends. */
export const perform = async (story: Story, directory: string): Promise<Performance> => {
  try {
    await awayFromMidnight()
    const stage = await Stage.open(story, directory, 'ledger')
    const facts: JsonObject[] = []
    for (const { heading, play } of STEPS) {
      story.begin(heading)
      facts.push(await play(stage))
    }
    return { ok: true, ...Object.assign({}, ...facts) }
  } catch (error) {
    return { ok: false, failedIn: story.step, why: whyOf(error) }
  }
}

/** A broken connection says why only in its cause. */
const whyOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

interface Step {
  readonly heading: string
  readonly play: (stage: Stage) => Promise<JsonObject>
}

const STEPS: readonly Step[] = [
  {
    heading:
      '1  Public budgets, and one window of their releases (D8: Rényi divergence of order 8; * the demo’s own figure)',
    play: playDeployments,
  },
  {
    heading:
      '2  U.S. Census 2020, P.L. 94-171: 65 queries with Σρ = 293764/114921; each is rounded up, in all by 28e-15',
    play: playCensus,
  },
  {
    heading: '3  DP-SGD under the (3.01, 1e-5) that TensorFlow Privacy printed for 60 epochs of 234 steps',
    play: playTraining,
  },
  { heading: '4  kill -9 while 20 callers spend', play: playCrash },
  { heading: '5  One byte changed in a copy of the log: the ε 2.64 of google-mobility becomes 1.64', play: playTamper },
  { heading: '6  Proofs', play: playProof },
]

/** A day's quota must not begin anew between two releases of the same day. */
const awayFromMidnight = async (): Promise<void> => {
  const untilMidnightMs = 86_400_000 - (Date.now() % 86_400_000)
  if (untilMidnightMs < 15_000) await sleep(untilMidnightMs)
}
