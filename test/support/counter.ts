import { type Block, type Position, positionOf, recordsOf } from '../../src/ledger/block.js'
import type { Context, Decider, Decision, Draft, Receipt } from '../../src/ledger/decider.js'
import { LedgerError } from '../../src/ledger/errors.js'
import { decodeRecord, type EventBody } from '../../src/ledger/record.js'

/** What the toy ledger of the writer's tests takes: a counter that must never pass its cap. */
export type CounterCommand =
  | { readonly kind: 'add'; readonly amount: number; readonly id?: number; readonly times?: number }
  /** Adds 1, but blocks so many times before. */
  | { readonly kind: 'later'; readonly id: number; readonly tries: number }
  | { readonly kind: 'look' }
  | { readonly kind: 'reject' }
  | { readonly kind: 'oversize' }
  | { readonly kind: 'defect' }

export interface CounterAnswer {
  readonly said: 'added' | 'refused' | 'seen' | 'later'
  readonly total: number
  readonly receipt: Receipt | undefined
}

export class Counter implements Decider<CounterCommand, CounterAnswer> {
  total = 0
  position: Position | undefined
  prepared = 0
  readonly contexts: Context[] = []
  /** How often a command blocked. */
  readonly #tries = new Map<number, number>()

  constructor(readonly cap: number) {}

  async prepare(commands: readonly CounterCommand[]): Promise<void> {
    this.prepared += commands.length
  }

  draft(): Draft<CounterCommand, CounterAnswer> {
    let total = this.total
    const say = (said: CounterAnswer['said'], events: readonly EventBody[] = []): Decision<CounterAnswer> => {
      const after = total
      return { events, by: 'test', cause: { kind: 'cli' }, answer: (receipt) => ({ said, total: after, receipt }) }
    }
    const decide = (command: CounterCommand, context: Context): Decision<CounterAnswer> => {
      this.contexts.push(context)
      switch (command.kind) {
        case 'add': {
          const { amount, times = 1, id = 0 } = command
          if (total + amount * times > this.cap) return say('refused')
          total += amount * times
          return say(
            'added',
            Array.from({ length: times }, () => ({ type: 'Added', v: 1, data: { amount, id } })),
          )
        }
        case 'later': {
          const tries = this.#tries.get(command.id) ?? 0
          this.#tries.set(command.id, tries + 1)
          if (tries < command.tries) return { ...say('later'), blocks: true }
          total += 1
          return say('added', [{ type: 'Added', v: 1, data: { amount: 1, id: command.id } }])
        }
        case 'look':
          return say('seen')
        case 'reject':
          throw new LedgerError('REJECTED', 'not this one', { retry: 'never' })
        case 'oversize':
          total += 1
          return say('added', [
            { type: 'Added', v: 1, data: { amount: 1, id: 0 } },
            { type: 'Added', v: 1, data: { amount: 0, note: 'x'.repeat(70_000) } },
          ])
        case 'defect':
          throw new Error('a defect')
      }
    }
    const commit = (position: Position): void => {
      this.total = total
      this.position = position
    }
    return { decide, commit }
  }

  follow(block: Block): void {
    for (const { bytes } of recordsOf(block)) this.total += decodeRecord(bytes).data['amount'] as number
    this.position = positionOf(block)
  }
}
