import type { Rational } from '../../src/accounting/rational.js'

/**
 * The textbook formulas in plain fixed point with 1,400 binary places: a second implementation, slow and simple, that shares
 * nothing with the one under test. Its errors lie hundreds of digits below what the tests ask for.
 */
export const PLACES = 1_400n
const ONE = 1n << PLACES

/** A number times 2¹⁴⁰⁰. */
export type Fixed = bigint

export const fixed = ({ num, den }: Rational): Fixed => (num << PLACES) / den
export const whole = (value: number | bigint): Fixed => BigInt(value) << PLACES

export const times = (a: Fixed, b: Fixed): Fixed => (a * b) >> PLACES
const over = (a: Fixed, b: Fixed): Fixed => (a << PLACES) / b

/** ⌈scale · x⌉, and ⌊scale · x⌋. */
export const ceilUnits = (x: Fixed, scale: bigint): bigint => -((-x * scale) >> PLACES)
export const floorUnits = (x: Fixed, scale: bigint): bigint => (x * scale) >> PLACES

export function exp(x: Fixed): Fixed {
  if (x < 0n) return over(ONE, exp(-x))
  let halvings = 8n
  while (x >> halvings > ONE >> 8n) halvings++
  const small = x >> halvings
  let term = ONE
  let sum = ONE
  for (let n = 1n; term > 0n; n++) {
    term = times(term, small) / n
    sum += term
  }
  for (; halvings > 0n; halvings--) sum = times(sum, sum)
  return sum
}

/** Newton's method on e^y = x, from the double next to it. */
export function ln(x: Fixed): Fixed {
  const digits = BigInt(x.toString(2).length)
  const exponent = digits - PLACES
  const mantissa = Number(x >> (digits - 53n)) / 2 ** 53
  let y = BigInt(Math.round((Math.log(mantissa) + Number(exponent) * Math.LN2) * 2 ** 40)) << (PLACES - 40n)
  for (let step = 0; step < 5; step++) {
    const power = exp(y)
    y += over(2n * (x - power), x + power)
  }
  return y
}

function power(base: Fixed, exponent: number): Fixed {
  if (exponent < 0) return over(ONE, power(base, -exponent))
  let result = ONE
  for (let i = 0; i < exponent; i++) result = times(result, base)
  return result
}

export const laplaceRho = (epsilon: Fixed): Fixed => epsilon + exp(-epsilon) - ONE

export function laplaceRdp(epsilon: Fixed, order: number): Fixed {
  const up = times(over(whole(order), whole(2 * order - 1)), exp(epsilon * BigInt(order - 1)))
  const down = times(over(whole(order - 1), whole(2 * order - 1)), exp(-epsilon * BigInt(order)))
  return ln(up + down) / BigInt(order - 1)
}

/** Σ P(z)^α Q(z)^(1-α) over the integers, P and Q two discrete Laplace distributions `sensitivity` apart. */
export function discreteLaplaceRdp(parameter: Fixed, sensitivity: number, order: number): Fixed {
  const decay = exp(-parameter)
  const norm = over(ONE - decay, ONE + decay)
  const reach = Math.ceil(60 / (Number(parameter >> (PLACES - 60n)) / 2 ** 60))
  let sum = 0n
  for (let z = -reach; z <= reach + sensitivity; z++) {
    const exponent = order * Math.abs(z) - (order - 1) * Math.abs(z - sensitivity)
    sum += times(norm, power(exponent < 0 ? exp(parameter) : decay, Math.abs(exponent)))
  }
  return ln(sum) / BigInt(order - 1)
}

export const pureRho = (epsilon: Fixed): Fixed => times(epsilon, over(exp(epsilon) - ONE, exp(epsilon) + ONE))

/** The divergence of binary randomized response, (e^ε, 1)/(1 + e^ε) against (1, e^ε)/(1 + e^ε). */
export function pureRdp(epsilon: Fixed, order: number): Fixed {
  const likely = exp(epsilon)
  const sum = power(likely, order) + power(likely, 1 - order)
  return ln(over(sum, ONE + likely)) / BigInt(order - 1)
}

export function boundedRangeRdp(epsilon: Fixed, order: number): Fixed {
  const x = over(epsilon, exp(epsilon) - ONE)
  return x - ONE - ln(x) + (times(epsilon, epsilon) * BigInt(order - 1)) / 8n
}

export const sampledEpsilon = (epsilon: Fixed, probability: Fixed): Fixed =>
  ln(ONE + times(probability, exp(epsilon) - ONE))

export function responseRdp(noise: Fixed, buckets: number, order: number): Fixed {
  const other = noise / BigInt(buckets)
  const truth = ONE - noise + other
  const moved =
    times(power(truth, order), power(other, 1 - order)) + times(power(other, order), power(truth, 1 - order))
  return ln(moved + other * BigInt(buckets - 2)) / BigInt(order - 1)
}

/** Against uniform answers, in the worse direction. */
export function zeroedResponseRdp(noise: Fixed, buckets: number, order: number): Fixed {
  const other = noise / BigInt(buckets)
  const truth = ONE - noise + other
  const uniform = ONE / BigInt(buckets)
  const divergence = (alpha: number, beta: number): Fixed =>
    ln(
      times(power(truth, alpha), power(uniform, beta)) +
        times(power(other, alpha), power(uniform, beta)) * BigInt(buckets - 1),
    ) / BigInt(order - 1)
  const forth = divergence(order, 1 - order)
  const back = divergence(1 - order, order)
  return forth > back ? forth : back
}

/** The binomial sum of Mironov, Talwar and Zhang, in its usual form. */
export function subsampledGaussianRdp(variance: Fixed, probability: Fixed, order: number): Fixed {
  let sum = 0n
  let binomial = 1n
  for (let k = 0; k <= order; k++) {
    const weight = times(power(ONE - probability, order - k), power(probability, k))
    sum += times(weight, exp(over(whole(k * (k - 1)), 2n * variance))) * binomial
    binomial = (binomial * BigInt(order - k)) / BigInt(k + 1)
  }
  return ln(sum) / BigInt(order - 1)
}

export function largestDivergence(epsilon: Fixed, delta: Fixed, order: number): Fixed {
  const alpha = whole(order)
  return epsilon + (ln(delta) + ln(alpha)) / BigInt(order - 1) - ln(ONE - over(ONE, alpha))
}
