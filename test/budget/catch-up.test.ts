import { expect, test } from 'vitest'
import { catchUp, chainAt } from '../../src/budget/catch-up.js'
import { NaiveState } from '../support/naive-state.js'
import { wholeLog } from '../support/whole-log.js'

test('a state replayed from the log is the one that decided it', async () => {
  const { state, store } = await wholeLog()
  const replayed = new NaiveState()
  const chain = await catchUp(store, replayed, undefined)
  expect(chain?.position).toEqual(await store.head())
  expect(replayed.copy()).toEqual(state.copy())
})

test('a replay goes on from any position that the log confirms, and from no other', async () => {
  const { store } = await wholeLog()
  const head = await store.head()
  if (head === undefined) throw new Error('the log is empty')
  expect((await chainAt(store, head))?.position).toEqual(head)
  expect(await chainAt(store, { ...head, leaf: '0'.repeat(64) })).toBeUndefined()
  expect(await chainAt(store, { ...head, seq: head.seq + 1 })).toBeUndefined()
})
