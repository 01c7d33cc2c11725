import type { Position } from '../../ledger/block.js'

/** The last record that a state reflects. */
export interface StatePosition extends Position {
  readonly epoch: number
}
