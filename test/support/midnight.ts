import { setTimeout as sleep } from 'node:timers/promises'

const DAY_MS = 86_400_000

/** Waits for the next day in UTC where this one ends within `ms`: what is asked before and after midnight falls into two windows. */
export const onOneDay = async (ms: number): Promise<void> => {
  const leftMs = DAY_MS - (Date.now() % DAY_MS)
  if (leftMs < ms) await sleep(leftMs)
}
