/** The UTF-8 bytes of one text after the other, in one buffer that is used again. */
export class TextBytes {
  bytes = new Uint8Array(4096)
  length = 0
  /** Whether the text has bytes of its own: lone surrogates have none, and would look like others. */
  wellFormed = true

  /** Begins anew with `text`. */
  set(text: string): this {
    this.length = 0
    this.wellFormed = true
    return this.add(text)
  }

  add(text: string): this {
    if (this.length + text.length * 3 > this.bytes.length) this.#grow(text.length * 3)
    const { bytes } = this
    const start = this.length
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit >= 0x80) return this.#addUnicode(text)
      bytes[start + index] = unit
    }
    this.length = start + text.length
    return this
  }

  #addUnicode(text: string): this {
    if (!text.isWellFormed()) this.wellFormed = false
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written
    return this
  }

  #grow(more: number): void {
    const wider = new Uint8Array((this.length + more) * 2)
    wider.set(this.bytes)
    this.bytes = wider
  }
}

const encoder = new TextEncoder()
