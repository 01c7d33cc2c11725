import { hash } from 'node:crypto'
import type { Leaf } from './record.js'

/**
 * The Merkle tree of RFC 6962 section 2.1 over the leaves of a log, kept as its compact range: one hash for each one in the
 * size's binary digits, so a log of any length takes at most 64 of them.
 */
export class MerkleTree {
  private constructor(
    private count: number,
    /** Roots of the full subtrees from left to right, largest first. */
    private readonly peaks: string[],
  ) {}

  static empty(): MerkleTree {
    return new MerkleTree(0, [])
  }

  /** Goes on from the size and the peaks of an earlier tree. */
  static resume(size: number, peaks: readonly string[]): MerkleTree {
    return new MerkleTree(size, [...peaks])
  }

  get size(): number {
    return this.count
  }

  /** What {@link resume} goes on from. */
  get range(): readonly string[] {
    return [...this.peaks]
  }

  append(leaf: Leaf): void {
    let node = leaf
    for (let rest = this.count; rest % 2 === 1; rest = (rest - 1) / 2) node = nodeHash(this.peaks.pop() as string, node)
    this.peaks.push(node)
    this.count++
  }

  /** 64 hex digits; of the empty tree, the hash of nothing. */
  root(): string {
    return this.count === 0 ? hash('sha256', '', 'hex') : this.peaks.reduceRight((right, left) => nodeHash(left, right))
  }
}

/** SHA-256(0x01 ‖ left ‖ right), all in hex. */
export const nodeHash = (left: string, right: string): string =>
  hash('sha256', Buffer.from(`01${left}${right}`, 'hex'), 'hex')
