import type { Command } from '../budget/commands.js'

/** Units of spends that go to the writer together: one spend has no more. */
export const MOST_UNITS_TOGETHER = 20_000

/** The commands in order, in groups over no more units than one spend may have. */
export function* groupsOf(commands: readonly Command[]): Generator<readonly Command[], void, undefined> {
  let from = 0
  let units = 0
  for (const [index, command] of commands.entries()) {
    const more = 'request' in command ? command.request.attributes.units.length : 0
    if (units > 0 && units + more > MOST_UNITS_TOGETHER) {
      yield commands.slice(from, index)
      from = index
      units = 0
    }
    units += more
  }
  yield from === 0 ? commands : commands.slice(from)
}
