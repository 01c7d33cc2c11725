/**
 * HalfSipHash-2-4 with 64 bits of output (J.-P. Aumasson, D. J. Bernstein): a hash under a secret key, so that nobody
 * outside can choose names that fall on one place of a table. It finds places; it never proves that two names are equal.
 */
export class HalfSipHash {
  /** The first and the second four bytes of the last hash, as unsigned little-endian integers. */
  low = 0
  high = 0
  readonly #k0: number
  readonly #k1: number

  /** @param key 8 secret bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 8) throw new RangeError(`a key of HalfSipHash has 8 bytes, not ${key.length}`)
    this.#k0 = wordAt(key, 0)
    this.#k1 = wordAt(key, 4)
  }

  /** Hashes `length` bytes from `start` on into `low` and `high`. */
  hash(bytes: Uint8Array, length: number, start = 0): void {
    let v0 = this.#k0
    let v1 = this.#k1 ^ 0xee
    let v2 = this.#k0 ^ 0x6c796765
    let v3 = this.#k1 ^ 0x74656462
    const words = length >>> 2
    // Two rounds a step: one step for each word, one for the rest with the length, two for each half of the output.
    for (let step = 0; step < words + 5; step++) {
      const word = step < words ? wordAt(bytes, start + step * 4) : step === words ? lastWord(bytes, start, length) : 0
      if (step === words + 1) v2 ^= 0xee
      if (step === words + 3) {
        this.low = (v1 ^ v3) >>> 0
        v1 ^= 0xdd
      }
      v3 ^= word
      for (let round = 0; round < 2; round++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
      }
      v0 ^= word
    }
    this.high = (v1 ^ v3) >>> 0
  }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24)

/** Up to three bytes that fill no word, and the length modulo 256 above them. */
const lastWord = (bytes: Uint8Array, start: number, length: number): number => {
  let word = length << 24
  for (let at = length & ~3; at < length; at++) word |= (bytes[start + at] as number) << ((at & 3) * 8)
  return word
}
