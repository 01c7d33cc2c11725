import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OpenReservations } from '../../../src/adapters/state/open-reservations.js'
import { NaiveState } from '../../support/naive-state.js'

const steps = fc.array(
  fc.record({ id: fc.nat(40).map(String), closes: fc.boolean(), second: fc.nat(59), limit: fc.nat(50) }),
  { minLength: 100, maxLength: 300 },
)

test('whatever is opened and closed, the overdue ones come earliest first, and all of them by their record', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const reservations = new OpenReservations()
      const naive = new NaiveState()
      for (const [seq, { id, closes, second, limit }] of sequence.entries()) {
        const expiresAt = `2026-01-05T00:00:${String(second).padStart(2, '0')}.000Z`
        if (closes) {
          reservations.close('s', id)
          naive.closeReservation('s', id)
        } else {
          const reservation = { source: 's', id, seq, hash: '', expiresAt, held: [], units: [] }
          reservations.open(reservation)
          naive.openReservation(reservation)
        }
        expect(reservations.overdue(expiresAt, limit)).toEqual(naive.overdue(expiresAt, limit))
        const open = naive.openReservations().sort((one, other) => one.seq - other.seq)
        const after = seq - second
        expect(reservations.size).toBe(open.length)
        expect(reservations.page(after, limit)).toEqual(open.filter((one) => one.seq > after).slice(0, limit))
      }
    }),
    { numRuns: 50 },
  )
})
