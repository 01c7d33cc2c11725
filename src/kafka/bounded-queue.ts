export interface Limits {
  readonly items: number
  readonly bytes: number
}

interface Entry<Item> {
  readonly item: Item
  readonly bytes: number
}

/** Hands things in order from one loop to another; whoever puts in waits while there is no room, and one thing always has room. */
export class BoundedQueue<Item> {
  #entries: Entry<Item>[] = []
  #bytes = 0
  #closed = false
  #wake: (() => void)[] = []

  constructor(private readonly room: Limits) {}

  /** Resolves with whether it is in: a closed queue takes nothing. */
  async put(item: Item, bytes: number): Promise<boolean> {
    while (!this.#closed && this.#entries.length > 0 && !this.#fits(bytes)) await this.#change()
    if (this.#closed) return false
    this.#entries.push({ item, bytes })
    this.#bytes += bytes
    this.#tell()
    return true
  }

  /** What has come, at least one thing, and no more than `most` where it is more than one; undefined once closed. */
  async take(most: Limits): Promise<readonly Item[] | undefined> {
    while (!this.#closed && this.#entries.length === 0) await this.#change()
    if (this.#closed) return undefined
    let count = 1
    let bytes = this.#entries[0]?.bytes ?? 0
    for (; count < Math.min(this.#entries.length, most.items); count++) {
      const more = this.#entries[count]?.bytes ?? 0
      if (bytes + more > most.bytes) break
      bytes += more
    }
    const taken = this.#entries.splice(0, count)
    this.#bytes -= bytes
    this.#tell()
    return taken.map(({ item }) => item)
  }

  /** What is in it is of no use to anybody any more. */
  close(): void {
    this.#closed = true
    this.#entries = []
    this.#tell()
  }

  #fits(bytes: number): boolean {
    return this.#entries.length < this.room.items && this.#bytes + bytes <= this.room.bytes
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
