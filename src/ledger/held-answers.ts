/** Answers of batches that are durable, but must be confirmed elsewhere before anybody hears of them. */
export class HeldAnswers {
  private readonly batches = new Set<Promise<void>>()
  private commands = 0

  /** Commands whose answers are held. */
  get size(): number {
    return this.commands
  }

  /** Calls `answer` once they are confirmed, or `fail` with what this, or the answering, threw. */
  hold(confirmed: Promise<void>, commands: number, answer: () => void, fail: (error: unknown) => void): void {
    this.commands += commands
    const batch = confirmed
      .finally(() => {
        this.commands -= commands
      })
      .then(answer)
      .catch(fail)
      .finally(() => this.batches.delete(batch))
    this.batches.add(batch)
  }

  /** Resolves when those that are held by now are answered; undefined where none is. */
  idle(): Promise<unknown> | undefined {
    return this.batches.size === 0 ? undefined : Promise.all(this.batches)
  }
}
