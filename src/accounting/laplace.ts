import { exp, expm1, ln } from './exact/elementary.js'
import { difference, type Interval, negate, point, product, quotient, sum, times } from './exact/interval.js'

/** Laplace noise with ε = 1/b costs ρ = ε + e^-ε - 1, exactly (Harrison and Manurangsi, FORC 2026, arXiv 2510.25746). */
export const laplaceRho = (epsilon: Interval, bits: number): Interval =>
  sum(epsilon, expm1(negate(epsilon), bits), bits)

/**
 * Laplace noise with ε = 1/b has Rényi divergence ε + ln(α/(2α-1) + (α-1)/(2α-1)·e^-(2α-1)ε)/(α-1), exactly
 * (Mironov 2017, Proposition 6).
 */
export function laplaceRdp(epsilon: Interval, order: number, bits: number): Interval {
  const odd = BigInt(2 * order - 1)
  const tail = times(exp(negate(times(epsilon, odd, bits)), bits), BigInt(order - 1), bits)
  const mean = quotient(sum(point(BigInt(order)), tail, bits), point(odd), bits)
  return sum(epsilon, quotient(ln(mean, bits), point(BigInt(order - 1)), bits), bits)
}

/**
 * Discrete Laplace noise with parameter a and an integer sensitivity s, ε = a·s: the Rényi divergence summed out,
 * a·s + ln(tanh(a/2)·(C + K·e^-(2α-1)as))/(α-1) with y = e^-(2α-1)a, C = 1/(1-e^-a) + y/(1-y) and
 * K = 1/(1-e^-a) - 1/(1-y). It is convex in s, so of all moves of that L1 size one coordinate is the worst.
 */
export function discreteLaplaceRdp(parameter: Interval, epsilon: Interval, order: number, bits: number): Interval {
  const odd = BigInt(2 * order - 1)
  const one = point(1n)
  const stepTail = negate(expm1(negate(parameter), bits))
  const oddStep = negate(times(parameter, odd, bits))
  const oddTail = negate(expm1(oddStep, bits))
  const byStep = quotient(one, stepTail, bits)
  const near = sum(byStep, quotient(exp(oddStep, bits), oddTail, bits), bits)
  const far = difference(byStep, quotient(one, oddTail, bits), bits)
  const tanh = quotient(stepTail, sum(one, exp(negate(parameter), bits), bits), bits)
  const decay = exp(negate(times(epsilon, odd, bits)), bits)
  const total = product(tanh, sum(near, product(far, decay, bits), bits), bits)
  return sum(epsilon, quotient(ln(total, bits), point(BigInt(order - 1)), bits), bits)
}
