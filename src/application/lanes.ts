import { Turn } from './turn.js'

/** So many things of one request are worked out at a time: the costs of others wait behind no more than these. */
const LANES = 16

/**
 * Makes things by their numbers, few at a time. What takes no waiting is made in one turn, if that is not long.
 *
 * @param isLast after the first such thing no further one is begun, and none is returned.
 */
export const inLanes = async <Made>(
  count: number,
  make: (index: number) => Made | Promise<Made>,
  isLast: (made: Made) => boolean = () => false,
): Promise<readonly Made[]> => {
  const made: Made[] = new Array(count)
  const turn = new Turn()
  let end = count
  let next = 0
  const lane = async (): Promise<void> => {
    for (let index = next++; index < end; index = next++) {
      while (turn.isOver) await turn.next()
      const making = make(index)
      const one = making instanceof Promise ? await making : making
      made[index] = one
      if (isLast(one)) end = Math.min(end, index + 1)
    }
  }
  await Promise.all(Array.from({ length: Math.min(LANES, count) }, lane))
  return end === count ? made : made.slice(0, end)
}
