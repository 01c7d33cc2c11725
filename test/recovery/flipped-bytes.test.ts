import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

test('whichever byte of a record is altered, that record is named', async () => {
  const ledger = await wholeLog()
  const lines = (await ledger.lines()).map((line) => Buffer.from(`${line}\n`))
  const head = (await ledger.store.head())?.leaf
  const placeIn = (line: Buffer) => fc.integer({ min: 0, max: line.length - 2 })
  for (const [seq, line] of lines.entries()) {
    fc.assert(
      fc.property(placeIn(line), fc.integer({ min: 0, max: 7 }), (place, bit) => {
        const altered = Buffer.from(line)
        altered[place] = (altered[place] ?? 0) ^ (1 << bit)
        fc.pre(altered[place] !== 0x0a)
        const { fault } = verifiedLines(Buffer.concat(lines.map((one, index) => (index === seq ? altered : one))), head)
        expect(fault?.seq, fault?.message).toBe(seq)
      }),
      { numRuns: 8 },
    )
  }
})
