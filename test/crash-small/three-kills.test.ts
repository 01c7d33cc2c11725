import { expect, test } from 'vitest'
import { killAgainAndAgain } from '../crash/rounds.js'

test('three kills under load take back no answer and let no budget be overspent', async () => {
  const summary = await killAgainAndAgain({
    kills: 3,
    seed: 1,
    loadMs: 300,
    verifyEvery: 3,
    rebuildEvery: 2,
    progress: () => undefined,
  })
  expect(summary.permits).toBeGreaterThan(0)
}, 300_000)
