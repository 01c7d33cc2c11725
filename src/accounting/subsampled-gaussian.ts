import { expm1, ln, log1p } from './exact/elementary.js'
import {
  bitsOf,
  ceilShift,
  floorShift,
  type Interval,
  NOUGHT,
  ofRational,
  point,
  power,
  product,
  quotient,
  sum,
  times,
} from './exact/interval.js'
import { type Loss, real } from './loss.js'
import { divide, ONE, type Rational, subtract } from './rational.js'

/**
 * The Rényi divergence of a Gaussian on a Poisson sample with probability 0 < q < 1, at integer orders (Mironov, Talwar
 * and Zhang 2019, arXiv 1908.10530, section 3.3): ln(A)/(α-1) with
 *
 *     A = 1 + Σ_{k=2..α} C(α,k) q^k (1-q)^(α-k) (e^(k(k-1)/2σ²) - 1)
 *
 * In this form every term is positive: nothing cancels, however small q is. The factors that do not depend on α,
 * w_k = (q/(1-q))^k (e^(k(k-1)/2σ²) - 1), are shared by all orders.
 */
export class SubsampledGaussian {
  readonly #tables = new Map<number, Weight[]>()
  /** 1/σ² */
  readonly #precision: Rational

  constructor(
    variance: Rational,
    readonly probability: Rational,
  ) {
    this.#precision = divide(ONE, variance)
  }

  loss(order: number): Loss {
    return real((bits) => this.#divergence(order, bits), { atLeast: (bits) => this.#lastTerm(order, bits) })
  }

  /** The last term of A alone: α/(2σ²) + α ln(q)/(α-1) is at most the divergence. */
  #lastTerm(order: number, bits: number): Interval {
    const growth = quotient(times(ofRational(this.#precision, bits), BigInt(order), bits), point(2n), bits)
    const rarity = ln(ofRational(this.probability, bits), bits)
    return sum(growth, quotient(times(rarity, BigInt(order), bits), point(BigInt(order - 1)), bits), bits)
  }

  #divergence(order: number, bits: number): Interval {
    // k factors err k times as much as one, so a few more digits than asked for.
    const kept = bits + 32
    const unsampled = power(ofRational(subtract(ONE, this.probability), kept), order, kept)
    const excess = product(unsampled, weightedSum(this.#weights(order, kept), order, kept), kept)
    return quotient(log1p(excess, bits), point(BigInt(order - 1)), bits)
  }

  /** w_0 … w_order. With h_k = e^(k/σ²) - 1 and d_k = e^(k(k-1)/2σ²) - 1: d_{k+1} = d_k + (1 + d_k)·h_k. */
  #weights(order: number, bits: number): readonly Weight[] {
    const table = this.#tables.get(bits) ?? this.#firstWeights(bits)
    this.#tables.set(bits, table)
    while (table.length <= order) table.push(nextWeight(table[table.length - 1]!, table[1]!, bits))
    return table
  }

  #firstWeights(bits: number): Weight[] {
    const odds = ofRational(divide(this.probability, subtract(ONE, this.probability)), bits)
    const growth = expm1(ofRational(this.#precision, bits), bits)
    const zeroth = { odds: point(1n), growth: NOUGHT, excess: NOUGHT, weight: NOUGHT, size: 0 }
    return [zeroth, { odds, growth, excess: NOUGHT, weight: NOUGHT, size: 0 }]
  }
}

interface Weight {
  /** (q/(1-q))^k */
  readonly odds: Interval
  /** h_k */
  readonly growth: Interval
  /** d_k */
  readonly excess: Interval
  readonly weight: Interval
  /** Binary digits before the point of w_k, negative for a small one. */
  readonly size: number
}

function nextWeight(last: Weight, first: Weight, bits: number): Weight {
  const one = point(1n)
  const odds = product(last.odds, first.odds, bits)
  const growth = sum(last.growth, product(sum(one, last.growth, bits), first.growth, bits), bits)
  const excess = sum(last.excess, product(sum(one, last.excess, bits), last.growth, bits), bits)
  const weight = product(odds, excess, bits)
  return { odds, growth, excess, weight, size: bitsOf(weight.hi) + weight.exp }
}

/** Σ_{k=2..order} C(order,k)·w_k, added in fixed point at the scale of the largest term. */
function weightedSum(weights: readonly Weight[], order: number, bits: number): Interval {
  const row = binomials(order)
  let largest = Number.NEGATIVE_INFINITY
  for (let k = 2; k <= order; k++) {
    const size = weights[k]!.size + row.sizes[k]!
    if (size > largest) largest = size
  }
  const exp = largest - bits
  let lo = 0n
  let hi = 0n
  for (let k = 2; k <= order; k++) {
    const { weight } = weights[k]!
    const factor = row.values[k]!
    lo += floorShift(weight.lo * factor, exp - weight.exp)
    hi += ceilShift(weight.hi * factor, exp - weight.exp)
  }
  return { lo, hi, exp }
}

interface Binomials {
  readonly values: readonly bigint[]
  readonly sizes: readonly number[]
}

/** Rows up to this one are kept; together they take a few megabytes. */
const LARGEST_KEPT = 256
const knownBinomials = new Map<number, Binomials>()

function binomials(order: number): Binomials {
  const known = knownBinomials.get(order)
  if (known !== undefined) return known
  const values = [1n]
  for (let k = 1; k <= order; k++) values.push((values[k - 1]! * BigInt(order - k + 1)) / BigInt(k))
  const row = { values, sizes: values.map(bitsOf) }
  if (order <= LARGEST_KEPT) knownBinomials.set(order, row)
  return row
}
