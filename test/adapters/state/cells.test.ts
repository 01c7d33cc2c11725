import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Cells, PAGE_ROWS } from '../../../src/adapters/state/cells.js'
import type { ChunkSink } from '../../../src/adapters/state/chunks.js'
import { seeded } from '../../bench/statistics.js'
import { MemoryFile } from './memory-file.js'

const ROWS = 5 * PAGE_ROWS - 7
const WIDTH = 2

const write = (cells: Cells, row: number, value: number): void => {
  const page = cells.touch(row)
  page[cells.offset(row)] = value
  page[cells.offset(row) + 1] = -value
}

const read = (cells: Cells, row: number): readonly (number | undefined)[] => {
  const page = cells.page(row)
  return [page?.[cells.offset(row)] ?? 0, page?.[cells.offset(row) + 1] ?? 0]
}

const expectRows = (cells: Cells, rows: ReadonlyMap<number, number>): void => {
  for (let row = 0; row < ROWS; row++) {
    const value = rows.get(row) ?? 0
    const [one, other] = read(cells, row)
    if (one !== value || other !== (value === 0 ? 0 : -value))
      throw new Error(`row ${row}: ${one}, ${other}, not ${value}`)
  }
}

const reloaded = (file: MemoryFile): Cells => {
  const cells = new Cells('cells', WIDTH, true)
  cells.load(file)
  return cells
}

/** A flush writes rows of a range, many or few; it may fail; the cells may be read again from the file. */
const flushes = fc.array(
  fc.record({
    from: fc.nat(ROWS - 1),
    rows: fc.oneof(fc.nat(5), fc.nat(3 * PAGE_ROWS)),
    fails: fc.boolean(),
    reloads: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
)

test('whatever rows change between flushes, what is read again is what was there at the last one', () => {
  fc.assert(
    fc.property(flushes, (sequence) => {
      let cells = new Cells('cells', WIDTH, true)
      const file = new MemoryFile()
      const rows = new Map<number, number>()
      for (const [index, { from, rows: count, fails, reloads }] of sequence.entries()) {
        for (let step = 0; step < count; step++) {
          const row = (from + step) % ROWS
          rows.set(row, index * ROWS + row + 1)
          write(cells, row, index * ROWS + row + 1)
        }
        if (fails) cells.save(new MemoryFile(), index + 1)
        cells.save(file, index + 1)
        cells.saved()
        if (reloads) cells = reloaded(file)
      }
      expectRows(cells, rows)
      expectRows(reloaded(file), rows)
    }),
    { numRuns: 40 },
  )
})

test('a flush costs what has changed, and the changes in the file never outgrow twice its pages', () => {
  const cells = new Cells('cells', WIDTH, true)
  const file = new MemoryFile()
  const random = seeded(3)
  for (let row = 0; row < ROWS; row++) write(cells, row, row + 1)
  cells.save(file, 1)
  cells.saved()
  const pages = file.bytes('cells')
  for (let flush = 2; flush < 1_500; flush++) {
    for (let change = 0; change < 64; change++) write(cells, Math.floor(random() * ROWS), flush)
    let written = 0
    const sink: ChunkSink = {
      put: (stream, number, bytes) => {
        written += bytes.length
        file.put(stream, number, bytes)
      },
      remove: (stream, number) => file.remove(stream, number),
    }
    cells.save(sink, flush)
    cells.saved()
    expect(written).toBeLessThan(2 * PAGE_ROWS * WIDTH * 8)
    expect(file.bytes('cells changes')).toBeLessThan(2 * pages)
  }
})

test('nothing is written where nothing has changed', () => {
  const cells = new Cells('cells', WIDTH, true)
  write(cells, 4711, 1)
  cells.save(new MemoryFile(), 1)
  cells.saved()
  const file = new MemoryFile()
  cells.save(file, 2)
  expect([file.bytes('cells'), file.bytes('cells changes')]).toEqual([0, 0])
})
