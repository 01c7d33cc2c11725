import { ln } from './exact/elementary.js'
import { type Interval, ofRational, point, power, product, quotient, sum, times } from './exact/interval.js'
import { FREE, greatest, INFINITE, type Loss, real } from './loss.js'
import { add, compare, divide, isZero, multiply, ONE, type Rational, rational, subtract } from './rational.js'
import type { Relation } from './units.js'

/** k-ary randomized response: with probability `noise` one of the `buckets` uniformly, else the truth. */
export interface RandomizedResponse {
  readonly noise: Rational
  readonly buckets: bigint
}

/** e^ε: k/p - k + 1 where a record is replaced; max(k(1-p) + p, 1/p) where it is zeroed out. */
export function responseRatio(response: RandomizedResponse, relation: Relation): Rational | 'infinite' {
  if (isConstant(response)) return ONE
  if (isZero(response.noise)) return 'infinite'
  const inverse = divide(ONE, response.noise)
  const kept = scaledTruth(response)
  if (relation !== 'replace_special') return multiply(kept, inverse)
  return compare(kept, inverse) > 0 ? kept : inverse
}

/** The Rényi divergence (dp_accounting 0.6.0, `_compute_randomized_response_rdp`). */
export function responseRdp(response: RandomizedResponse, relation: Relation, order: number): Loss {
  if (isConstant(response)) return FREE
  if (isZero(response.noise)) return INFINITE
  if (relation !== 'replace_special') return real((bits) => replacedRdp(response, order, bits))
  return greatest(
    real((bits) => zeroedRdp(response, order, bits)),
    real((bits) => zeroingRdp(response, order, bits)),
  )
}

/** ln(u^α v^(1-α) + v^α u^(1-α) + (k-2)v)/(α-1) with u = 1 - p + p/k for the truth and v = p/k for each other bucket. */
function replacedRdp(response: RandomizedResponse, order: number, bits: number): Interval {
  const { noise, buckets } = response
  const v = ofRational(divide(noise, rational(buckets)), bits)
  const u = ofRational(divide(scaledTruth(response), rational(buckets)), bits)
  const ratio = ofRational(divide(scaledTruth(response), noise), bits)
  const likely = power(ratio, order - 1, bits)
  const both = sum(product(u, likely, bits), quotient(v, likely, bits), bits)
  return overOrder(ln(sum(both, times(v, buckets - 2n, bits), bits), bits), order, bits)
}

/** From the answers to uniform ones: ln((U^α + (k-1)p^α)/k)/(α-1) with U = k(1-p) + p. */
function zeroedRdp(response: RandomizedResponse, order: number, bits: number): Interval {
  const truth = power(ofRational(scaledTruth(response), bits), order, bits)
  const other = power(ofRational(response.noise, bits), order, bits)
  return meanRdp(truth, other, response.buckets, order, bits)
}

/** From uniform answers to the answers: ln((U^(1-α) + (k-1)p^(1-α))/k)/(α-1). */
function zeroingRdp(response: RandomizedResponse, order: number, bits: number): Interval {
  const truth = power(ofRational(divide(ONE, scaledTruth(response)), bits), order - 1, bits)
  const other = power(ofRational(divide(ONE, response.noise), bits), order - 1, bits)
  return meanRdp(truth, other, response.buckets, order, bits)
}

function meanRdp(truth: Interval, other: Interval, buckets: bigint, order: number, bits: number): Interval {
  const total = sum(truth, times(other, buckets - 1n, bits), bits)
  return overOrder(ln(quotient(total, point(buckets), bits), bits), order, bits)
}

const overOrder = (x: Interval, order: number, bits: number): Interval => quotient(x, point(BigInt(order - 1)), bits)

/** k(1-p) + p, k times the probability of the truth. */
const scaledTruth = ({ noise, buckets }: RandomizedResponse): Rational =>
  add(multiply(rational(buckets), subtract(ONE, noise)), noise)

/** Whether the answer says nothing. */
const isConstant = ({ noise, buckets }: RandomizedResponse): boolean => buckets === 1n || compare(noise, ONE) === 0
