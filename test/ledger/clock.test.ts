import { describe, expect, test } from 'vitest'
import { TimeKeeper } from '../../src/ledger/clock.js'
import { ManualClock } from '../support/manual-clock.js'

test('a stamp is what the clock says, in UTC with milliseconds', () => {
  expect(new TimeKeeper(new ManualClock()).stamp()).toBe('2026-01-01T00:00:00.000Z')
})

test('stamps never go back, whatever the clock does', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock, '2026-01-01T00:00:01.000Z')
  expect(keeper.stamp()).toBe('2026-01-01T00:00:01.000Z')
  clock.pass(1_500)
  expect(keeper.stamp()).toBe('2026-01-01T00:00:01.500Z')
  clock.step(-3_600_000)
  expect(keeper.stamp()).toBe('2026-01-01T00:00:01.500Z')
  keeper.follow('2026-01-01T00:00:02.000Z')
  expect(keeper.stamp()).toBe('2026-01-01T00:00:02.000Z')
})

test('a clock that runs along with the monotonic one is not doubted', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  clock.pass(365 * 86_400_000)
  expect(keeper.doubt()).toBeUndefined()
})

test.each([5_001, -5_001])('a step of %i ms is doubted until the clock agrees again', (stepMs) => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  clock.step(stepMs)
  expect(keeper.doubt()).toEqual({
    code: 'CLOCK_UNCERTAIN',
    detail: expect.stringContaining(`stepped by ${stepMs} ms`),
  })
  clock.step(-stepMs)
  expect(keeper.doubt()).toBeUndefined()
})

test.each([5_000, -5_000])('a step of %i ms is taken for granted', (stepMs) => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  clock.step(stepMs)
  expect(keeper.doubt()).toBeUndefined()
})

test('a clock that starts more than 5 s behind the last record is doubted until it has caught up', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock, '2026-01-01T00:00:06.000Z')
  expect(keeper.doubt()?.detail).toContain('6000 ms behind the last record')
  clock.pass(1_000)
  expect(keeper.doubt()).toBeUndefined()
})

test('a stamp taken in doubt does not hide the doubt', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  clock.step(60_000)
  keeper.stamp()
  expect(keeper.doubt()).toBeDefined()
})

test('what an operator has confirmed is not doubted, what happens after that is', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock, '2026-01-01T01:00:00.000Z')
  clock.step(30_000)
  keeper.confirm()
  expect(keeper.doubt()).toBeUndefined()
  clock.pass(600_000)
  expect(keeper.doubt()).toBeUndefined()
  clock.step(-6_000)
  expect(keeper.doubt()?.detail).toContain('stepped by -6000 ms')
})

test('a confirmed lag is forgotten once the clock has caught up', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock, '2026-01-01T01:00:00.000Z')
  keeper.confirm()
  clock.pass(3_600_000)
  expect(keeper.doubt()).toBeUndefined()
  keeper.follow('2026-01-01T02:00:00.000Z')
  expect(keeper.doubt()?.detail).toContain('3600000 ms behind')
})

test('a clock outside the years 1970 to 9999 is an error, not a record', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  clock.step(Number.NaN)
  expect(() => keeper.stamp()).toThrow(expect.objectContaining({ code: 'CLOCK_UNREADABLE' }))
})

test('a step that nobody confirmed leaves no trace in the log: time goes on as if there had been none', () => {
  const clock = new ManualClock()
  const keeper = new TimeKeeper(clock)
  clock.step(400 * 86_400_000)
  clock.pass(1_000)
  expect(keeper.stamp()).toBe('2026-01-01T00:00:01.000Z')
  clock.step(-400 * 86_400_000)
  expect(keeper.stamp()).toBe('2026-01-01T00:00:01.000Z')
  clock.step(400 * 86_400_000)
  keeper.confirm()
  expect(keeper.stamp()).toBe('2027-02-05T00:00:01.000Z')
})

describe('beside the clock of a server', () => {
  const START_MS = Date.UTC(2026, 0, 1)

  test.each([
    [5_001, '5001 ms ahead of that of the server'],
    [-3_600_000, '3600000 ms behind that of the server'],
  ])('a clock that is %i ms ahead of it is doubted until they agree', (aheadMs, named) => {
    const clock = new ManualClock()
    const keeper = new TimeKeeper(clock)
    keeper.compare(START_MS - aheadMs, 0)
    expect(keeper.doubt()).toEqual({ code: 'CLOCK_UNCERTAIN', detail: expect.stringContaining(named) })
    keeper.compare(START_MS, 0)
    expect(keeper.doubt()).toBeUndefined()
  })

  test.each([5_000, -5_000])('%i ms are taken for granted', (aheadMs) => {
    const keeper = new TimeKeeper(new ManualClock())
    keeper.compare(START_MS - aheadMs, 0)
    expect(keeper.doubt()).toBeUndefined()
  })

  test('half of the time that the question took is taken off, and an answer that took long says nothing', () => {
    const keeper = new TimeKeeper(new ManualClock())
    keeper.compare(START_MS - 5_500, 1_000)
    expect(keeper.doubt()).toBeUndefined()
    keeper.compare(START_MS - 60_000, 1_001)
    expect(keeper.doubt()).toBeUndefined()
  })

  test('an operator may say that the clock here is the right one; what changes after that is doubted again', () => {
    const keeper = new TimeKeeper(new ManualClock())
    keeper.compare(START_MS - 60_000, 0)
    keeper.confirm()
    expect(keeper.doubt()).toBeUndefined()
    keeper.compare(START_MS - 64_000, 0)
    expect(keeper.doubt()).toBeUndefined()
    keeper.compare(START_MS - 66_000, 0)
    expect(keeper.doubt()).toBeDefined()
    keeper.compare(START_MS, 0)
    expect(keeper.doubt()).toBeUndefined()
    keeper.compare(START_MS - 60_000, 0)
    expect(keeper.doubt()).toBeDefined()
  })
})
