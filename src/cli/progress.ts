import type { Io } from './io.js'

const DRAW_EVERY_MS = 100
const LINE_EVERY_MS = 2_000
const WIDTH = 30

/**
 * How far a long piece of work is, on stderr: a bar on a terminal; where progress is asked for but there is no terminal, a
 * line every two seconds; else nothing.
 */
export class Progress {
  readonly #startedMs = performance.now()
  #shownMs = 0

  /** @param total undefined where nobody knows how much there is. */
  constructor(
    private readonly io: Io,
    private readonly what: string,
    private readonly total: number | undefined,
    private readonly forced: boolean,
  ) {}

  update(done: number): void {
    const now = performance.now()
    if (now - this.#shownMs < (this.#bar ? DRAW_EVERY_MS : LINE_EVERY_MS)) return
    this.#shownMs = now
    this.#show(done)
  }

  /** Leaves the last state on the screen. */
  end(done: number): void {
    this.#show(done)
    if (this.#bar) this.io.stderr.write('\n')
  }

  get #bar(): boolean {
    return this.io.stderr.isTTY === true
  }

  #show(done: number): void {
    if (!this.#bar && !this.forced) return
    const seconds = (performance.now() - this.#startedMs) / 1000
    const rate = seconds === 0 ? 0 : Math.round(done / seconds)
    const figures = `${grouped(done)}${this.total === undefined ? '' : ` of ${grouped(this.total)}`} ${this.what}, ${grouped(rate)}/s`
    this.io.stderr.write(this.#bar ? `\r\u001b[2K${bar(done, this.total)} ${figures}` : `${figures}\n`)
  }
}

const bar = (done: number, total: number | undefined): string => {
  if (total === undefined || total === 0) return ''
  const filled = Math.min(WIDTH, Math.floor((done / total) * WIDTH))
  return `[${'='.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${Math.floor((Math.min(done, total) / total) * 100)} %`
}

const grouped = (count: number): string => count.toLocaleString('en-US')
