import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SharedLook } from '../../src/application/shared-look.js'

test('however many ask, one look is for all of them, and the next begins after a while', async () => {
  const begun: number[] = []
  const look = new SharedLook(async () => begun.push(performance.now()), 100)
  while (begun.length < 5) {
    await Promise.race([Promise.all(Array.from({ length: 100 }, () => look.ask())), sleep(5)])
  }
  await look.ask()
  // A timer may be a millisecond early.
  for (const [index, at] of begun.slice(1).entries()) expect(at - (begun[index] as number)).toBeGreaterThan(90)
})

test('whoever asks while a look is under way gets the next one, and two are never under way', async () => {
  let looks = 0
  const ends: (() => void)[] = []
  const look = new SharedLook(() => {
    looks++
    return new Promise<void>((resolve) => ends.push(resolve))
  }, 1)
  const first = look.ask()
  while (looks === 0) await sleep(1)
  let answered = false
  const second = look.ask().then(() => {
    answered = true
  })
  await sleep(20)
  expect(looks).toBe(1)
  ends[0]?.()
  await first
  while (looks === 1) await sleep(1)
  expect(answered).toBe(false)
  ends[1]?.()
  await second
})

test('a look that fails is one that has ended', async () => {
  const look = new SharedLook(() => Promise.reject(new Error('nobody answers')), 1)
  await look.ask()
  await look.ask()
})
