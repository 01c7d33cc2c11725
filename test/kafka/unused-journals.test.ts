import { expect, test } from 'vitest'
import { unusedJournals } from '../../src/kafka/unused-journals.js'

const at = (topic: string, next: bigint) => ({ topic, partition: 0, next, digest: null })

test('a journal that the log knows, and that a start does not look at, is named', () => {
  const offsets = [at('epsilon.spends', 5n), at('epsilon.decisions', 7n), at('epsilon.journal', 3n)]
  expect(unusedJournals(offsets, 'epsilon.journal')).toEqual([])
  expect(unusedJournals(offsets, undefined)).toEqual([
    expect.stringMatching(/^JOURNAL_UNUSED: .*epsilon\.journal is its journal, and no brokers are named\./),
  ])
  expect(unusedJournals(offsets, 'other.journal')).toEqual([
    expect.stringMatching(
      /^JOURNAL_UNUSED: .*epsilon\.journal is its journal, and this start looks at other\.journal\./,
    ),
  ])
})

test('a journal that was given up by two people is not missed', () => {
  expect(unusedJournals([at('epsilon.journal', 0n), at('epsilon.spends', 5n)], undefined)).toEqual([])
})
