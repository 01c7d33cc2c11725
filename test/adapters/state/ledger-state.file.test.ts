import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SqliteFile } from '../../../src/adapters/sqlite-file.js'
import { LedgerState } from '../../../src/adapters/state/ledger-state.js'
import type { SpendPart } from '../../../src/budget/events.js'
import { seeded } from '../../bench/statistics.js'
import { thrownBy } from '../../support/logs.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const at = (seq: number) => ({ epoch: 1, block: seq, seq, leaf: 'ab'.repeat(32) })
const refOf = (key: string) => ({ policy: 'p', generation: 1, key })

const fill = (state: LedgerState, from: number, to: number): void => {
  for (let seq = from; seq < to; seq++) {
    const keys = [`unit ${seq % 1000}`]
    state.move({ ...refOf(''), version: 1, window: 'lifetime', cost: [BigInt(seq) * 10n ** 14n], keys }, 'spend')
    state.rememberKey('request', 'trainer', `id ${seq}`, seq)
    state.rememberUnits(keys, seq)
  }
}

/** A file of two flushes, closed. */
const written = (): string => {
  const path = join(temporaryFolder(), 'state.db')
  const state = LedgerState.open(path, { ledger: 'one' })
  fill(state, 0, 3000)
  state.flush(at(2999))
  fill(state, 3000, 5000)
  state.flush(at(4999))
  state.close()
  return path
}

const opened = (path: string, ledger = 'one') => {
  const state = LedgerState.open(path, { ledger })
  state.close()
  return state
}

/** Exactly what was written, or nothing at all with a reason. */
const expectWholeOrEmpty = (state: LedgerState): void => {
  if (state.position === undefined) {
    expect(state.rebuilt).toBeTypeOf('string')
    expect(state.balance(refOf('unit 1'))).toBeUndefined()
    expect(state.candidates('request', 'trainer', 'id 1')).toEqual([])
    expect(state.unitHistory('unit 1', { limit: 9 })).toEqual([])
    return
  }
  expect(state.position).toEqual(at(4999))
  for (let unit = 0; unit < 1000; unit++) {
    const seq = 4000 + unit
    const sum = [0, 1, 2, 3, 4].reduce((all, thousand) => all + thousand * 1000 + unit, 0)
    expect(state.balance(refOf(`unit ${unit}`))?.spent.finite).toEqual([BigInt(sum) * 10n ** 14n])
    expect(state.unitHistory(`unit ${unit}`, { limit: 9 })).toEqual([unit, unit + 1000, unit + 2000, unit + 3000, seq])
  }
  for (let seq = 0; seq < 5000; seq += 7) expect(state.candidates('request', 'trainer', `id ${seq}`)).toEqual([seq])
}

test('what was flushed is there again', () => {
  const state = opened(written())
  expect(state.rebuilt).toBeUndefined()
  expectWholeOrEmpty(state)
})

test('a flipped byte anywhere gives the whole state or none, never another one', () => {
  const path = written()
  const bytes = readFileSync(path)
  const random = seeded(11)
  let rebuilt = 0
  for (let flip = 0; flip < 40; flip++) {
    const damaged = Buffer.from(bytes)
    const place = flip < 10 ? flip * 10 : Math.floor(random() * bytes.length)
    damaged[place] = (damaged[place] as number) ^ (1 << Math.floor(random() * 8))
    const copy = join(temporaryFolder(), 'state.db')
    writeFileSync(copy, damaged)
    const state = opened(copy)
    expectWholeOrEmpty(state)
    if (state.rebuilt !== undefined) rebuilt++
  }
  expect(rebuilt).toBeGreaterThan(12)
})

test('a file that is cut short, empty, or something else is begun anew', () => {
  const path = written()
  const bytes = readFileSync(path)
  for (const content of [
    bytes.subarray(0, bytes.length / 2),
    bytes.subarray(0, 50),
    Buffer.from('no database '.repeat(99)),
  ]) {
    writeFileSync(path, content)
    const state = LedgerState.open(path, { ledger: 'one' })
    expect(state.rebuilt).toBeTypeOf('string')
    expectWholeOrEmpty(state)
    fill(state, 0, 5000)
    state.flush(at(4999))
    state.close()
    expectWholeOrEmpty(opened(path))
  }
})

const alter = (path: string, sql: string): void => {
  const file = new SqliteFile(path, 0)
  file.exec(sql)
  file.close()
}

test.each([
  ['a chunk that is missing', "DELETE FROM chunk WHERE stream = 'keys'", 'vouches'],
  ['a surplus chunk', "INSERT INTO chunk SELECT 'more', number, hash, bytes FROM chunk LIMIT 1", 'vouches'],
  ['a chunk under another number', "UPDATE chunk SET number = 5 WHERE stream = 'keys'", 'keys is damaged'],
  ['a changed chunk', "UPDATE chunk SET bytes = CAST('{}' AS BLOB) WHERE stream = 'rest'", 'rest is damaged'],
  ['another position', 'UPDATE head SET seq = 4998', 'vouches'],
  ['another salt', "UPDATE head SET salt = '0000000000000000'", 'vouches'],
  ['a missing head', 'DELETE FROM head', 'without a head'],
  ['an older format', 'PRAGMA user_version = 4', 'format'],
  ['a later format', 'PRAGMA user_version = 99', 'format'],
  ['another program’s file', 'PRAGMA application_id = 7', 'application id'],
])('%s is noticed, and the state begins anew', (_, sql, reason) => {
  const path = written()
  alter(path, sql)
  const state = opened(path)
  expect(state.rebuilt).toContain(reason)
  expectWholeOrEmpty(state)
})

test('the sound file of another ledger is kept, and says that the log beside it is not its own', () => {
  const path = written()
  for (const attempt of [1, 2]) {
    const refusal = thrownBy(() => LedgerState.open(path, { ledger: 'two' }))
    const message = expect.stringContaining('that of ledger two: it is the state of ledger one at record 4999')
    expect(refusal, `attempt ${attempt}`).toMatchObject({ code: 'LEDGER_LOST', message })
  }
  expectWholeOrEmpty(opened(path))
})

test('a damaged name of the ledger is damage, not another ledger', () => {
  const path = written()
  alter(path, "UPDATE head SET ledger = 'two'")
  for (const ledger of ['one', 'two']) {
    const copy = join(temporaryFolder(), 'state.db')
    copyFileSync(path, copy)
    const state = opened(copy, ledger)
    expect(state.rebuilt).toContain('vouches')
    expectWholeOrEmpty(state)
  }
})

test('a ledger begins only where no state was ever flushed', () => {
  const path = join(temporaryFolder(), 'state.db')
  for (const _ of ['none', 'one that a first start left']) {
    const state = LedgerState.begin(path, { ledger: 'one' })
    expect(state.position).toBeUndefined()
    state.close()
  }
  const sound = written()
  const damaged = written()
  writeFileSync(damaged, 'no database '.repeat(99))
  for (const file of [sound, damaged]) {
    const before = readFileSync(file)
    for (const ledger of ['one', 'two']) {
      const refusal = thrownBy(() => LedgerState.begin(file, { ledger }))
      expect(refusal).toMatchObject({ code: 'LEDGER_LOST', message: expect.stringContaining('which is empty: ') })
    }
    expect(readFileSync(file).equals(before)).toBe(true)
  }
})

test('chunks of an older flush are noticed among those of a newer one', () => {
  const path = join(temporaryFolder(), 'state.db')
  const state = LedgerState.open(path, { ledger: 'one' })
  fill(state, 0, 3000)
  state.flush(at(2999))
  const old = join(temporaryFolder(), 'old.db')
  copyFileSync(path, old)
  fill(state, 3000, 5000)
  state.flush(at(4999))
  state.close()
  alter(
    path,
    `ATTACH '${old}' AS old; INSERT OR REPLACE INTO chunk SELECT * FROM old.chunk WHERE stream = 'table 0 lifetime'`,
  )
  expect(opened(path).rebuilt).toContain('vouches')
})

test('a process that dies in the middle of a flush leaves what the file held before', () => {
  const path = join(temporaryFolder(), 'state.db')
  const copy = join(temporaryFolder(), 'state.db')
  const state = LedgerState.open(path, { ledger: 'one' })
  fill(state, 0, 5000)
  state.flush(at(4999))
  // So much that SQLite writes pages of the file before it commits.
  const hash = 'much'.repeat(10_000_000)
  state.openReservation({ source: 's', id: 'i', seq: 5000, hash, expiresAt: '2026', held: [], units: [] })
  fill(state, 5000, 6000)
  const dying = {
    toJSON: () => {
      for (const suffix of ['', '-journal']) {
        if (existsSync(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`)
      }
      throw new Error('the end')
    },
  }
  state.pending = [dying as unknown as SpendPart]
  expect(thrownBy(() => state.flush(at(6000)))).toMatchObject({ code: 'STATE_NOT_WRITTEN' })
  state.close()
  expect(readFileSync(copy).length).toBeGreaterThan(readFileSync(path).length)
  for (const file of [copy, path]) {
    const found = opened(file)
    expect(found.rebuilt).toBeUndefined()
    expectWholeOrEmpty(found)
  }
})

test('a state begun anew while the old connection lingers is kept whole', () => {
  const path = written()
  const old = LedgerState.open(path, { ledger: 'one' })
  const state = LedgerState.anew(path, { ledger: 'one' })
  expect(state.position).toBeUndefined()
  fill(state, 0, 5000)
  state.flush(at(4999))
  old.close()
  state.close()
  expectWholeOrEmpty(opened(path))
})

test('a state that cannot be kept anywhere says so', () => {
  const path = join(temporaryFolder(), 'missing', 'state.db')
  expect(thrownBy(() => LedgerState.open(path, { ledger: 'one' }))).toMatchObject({ code: 'STATE_UNUSABLE' })
})

test('a file that another program holds is neither read nor replaced', () => {
  const path = written()
  const other = new SqliteFile(path, 0)
  other.exec('BEGIN EXCLUSIVE')
  expect(thrownBy(() => LedgerState.open(path, { ledger: 'one' }))).toMatchObject({ code: 'STATE_BUSY' })
  other.exec('ROLLBACK')
  other.close()
  expectWholeOrEmpty(opened(path))
})
