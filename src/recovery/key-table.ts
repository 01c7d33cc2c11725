/** Names with a number each, as many as memory holds: one Map ends at 2^24 entries. */
export class KeyTable {
  readonly #maps: Map<string, number>[] = [new Map()]

  get(name: string): number | undefined {
    for (const map of this.#maps) {
      const found = map.get(name)
      if (found !== undefined) return found
    }
    return undefined
  }

  set(name: string, value: number): void {
    for (let index = 0; index < this.#maps.length - 1; index++) {
      const map = this.#maps[index]
      if (map?.has(name)) {
        map.set(name, value)
        return
      }
    }
    this.#open().set(name, value)
  }

  *[Symbol.iterator](): Generator<[name: string, value: number], void, undefined> {
    for (const map of this.#maps) yield* map
  }

  #open(): Map<string, number> {
    const last = this.#maps[this.#maps.length - 1]
    if (last !== undefined && last.size < MOST_ENTRIES) return last
    const next = new Map<string, number>()
    this.#maps.push(next)
    return next
  }
}

const MOST_ENTRIES = 2 ** 23
