import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LedgerState } from '../../../src/adapters/state/ledger-state.js'
import { follow } from '../../../src/budget/catch-up.js'
import type { Block } from '../../../src/ledger/block.js'
import { collect } from '../../support/logs.js'
import { NaiveState } from '../../support/naive-state.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { wholeLog } from '../../support/whole-log.js'

const blocks = async (): Promise<readonly Block[]> => collect((await wholeLog()).store.read(0))

test('a log with every kind of record gives the state that plain maps give, however often it is flushed and read again', async () => {
  const path = join(temporaryFolder(), 'state.db')
  const naive = new NaiveState()
  let state = LedgerState.open(path, { ledger: 'test' })
  for (const block of await blocks()) {
    follow(state, block)
    follow(naive, block)
    state.flush({ epoch: 0, block: block.number, seq: block.last, leaf: block.leaf })
    state.close()
    state = LedgerState.open(path, { ledger: 'test' })
    expect(state.rebuilt).toBeUndefined()
    expect(state.position?.seq).toBe(block.last)
    expectSame(state, naive)
  }
  state.close()
})

const expectSame = (state: LedgerState, naive: NaiveState): void => {
  expect(state.registry).toEqual(naive.registry)
  expect(new Map(state.counts())).toEqual(naive.counts())
  expect(state.violations({ limit: 9 })).toEqual(naive.violations({ limit: 9 }))
  for (const ref of naive.budgets()) expect(state.balance(ref)).toEqual(naive.balance(ref))
  for (let unit = 1; unit < 6; unit++) {
    const all = { limit: 1000 }
    expect(state.unitHistory(`u-${unit}`, all)).toEqual(naive.unitHistory(`u-${unit}`, all))
    expect(new Set(state.unitBudgets(`u-${unit}`))).toEqual(new Set(naive.unitBudgets(`u-${unit}`)))
  }
  expect(state.openReservations({ limit: 1000 })).toEqual(naive.openReservations())
}
