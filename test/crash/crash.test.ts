import { expect, test } from 'vitest'
import { killAgainAndAgain } from './rounds.js'

/** CRASH_KILLS and CRASH_SEED change the run; a failure names its seed. */
const kills = Number(process.env['CRASH_KILLS'] ?? '100')
const seed = Number(process.env['CRASH_SEED'] ?? String(Date.now() % 2 ** 31))

const INTERRUPTED = [
  'SpendAccepted',
  'SpendRefused',
  'SpendPart',
  'SpendReported',
  'ReservationOpened',
  'ReservationSettled',
  'ReservationReleased',
  'ReservationExpired',
]

test('no kill takes back an answer or lets a budget be overspent', async () => {
  const summary = await killAgainAndAgain({
    kills,
    seed,
    loadMs: 700,
    verifyEvery: 5,
    rebuildEvery: 10,
    progress: (line) => console.log(line),
  })
  console.log(JSON.stringify(summary))
  expect(summary.permits).toBeGreaterThan(kills)
  if (kills < 100) return
  // A run of this length has met everything that may be interrupted.
  expect(Object.keys(summary.types)).toEqual(expect.arrayContaining(INTERRUPTED))
})
