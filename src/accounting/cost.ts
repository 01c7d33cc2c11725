import type { Release } from './release.js'
import type { Cost, Row } from './units.js'

/**
 * What a release costs in one row: over its parts the sum of ⌈scale · count · c⌉, c the exact loss of one run.
 * `INF` where a part or the sum reaches 2⁶³ - 1.
 */
export declare function costOf(release: Release, row: Row): Cost
/** The costs of several rows; cheaper than one by one, since the rows share work. */
export declare function costsOf(release: Release, rows: readonly Row[]): Readonly<Partial<Record<Row, Cost>>>
/**
 * The largest n in 0..10¹² for which `withCount(release, n)` costs at most `remaining` in this row: the count of a single
 * mechanism, whole repetitions of several parts.
 */
export declare function largestCount(release: Release, row: Row, remaining: bigint): bigint
