import { createHash } from 'node:crypto'
import type { JsonObject } from '../../ledger/record.js'
import { amountsText, spentText } from './amounts.js'
import type { Receipt, Reply } from './client.js'
import { policy } from './play.js'
import type { Stage } from './stage.js'
import { check } from './story.js'

const NAME = 'queries'
const SPENDS = 400
const CALLERS = 20
/** The answer after which the service is killed. */
const KILL_AFTER = 100

const IDS: readonly string[] = Array.from({ length: SPENDS }, (_, index) => `${NAME}:${index + 1}`)

/**
 * Kills the service while spends are under way, starts it again and holds it to every answer it gave. What was not
 * answered is sent again under the same id: written or not before the kill, it is charged once.
 */
export const playCrash = async (stage: Stage): Promise<JsonObject> => {
  await stage.setPolicy(policy(NAME, 'pure', { epsilon: '4' }))
  const given = await spendUntilKilled(stage)
  await stage.restart()
  const receipts = [...stage.emitter.receipts]
  await checkReceipts(stage, receipts)
  const { story } = stage
  story.say(
    `  killed after ${KILL_AFTER} of ${SPENDS} answers, started again: the records of all receipts are there, leaf by leaf`,
  )
  const repeated = await sendAllAgain(stage, given)
  const { spent, cap } = await stage.standing(NAME, { dataset: NAME })
  check(spent['epsilon'] === '4', () => `${SPENDS} spends of ε 0.01 were to add up to 4: ${JSON.stringify(spent)}`)
  story.say(`  all ${SPENDS} sent again: each is charged once, ${amountsText(spent)} of ${amountsText(cap)}`)
  story.say(`  gboard-es still has its ${await settleHeld(stage)}, and settles`)
  return { crash: { answered: given.length, receipts: receipts.length, repeated } }
}

/** The reservation that was made before the kill is open still, and closes at what it held. */
const settleHeld = async (stage: Stage): Promise<string> => {
  const attributes = { dataset: 'gboard-es', neighboring: 'replace_special' }
  const before = await stage.standing('gboard-es', attributes)
  const path = `/reservations/${encodeURIComponent('gboard-es:launch')}/settle`
  await stage.emitter.expect([200, 201], path, { count: '1' })
  const after = await stage.standing('gboard-es', attributes)
  const rho = [before.reserved['rho'], before.spent['rho'], after.reserved['rho'], after.spent['rho']].join()
  check(rho === '0.81,0,0,0.81', () => `gboard-es held and spent ρ ${rho}, not 0.81,0,0,0.81`)
  return spentText(before)
}

/** Spends by several callers until the service is killed under them; what they were answered until then. */
const spendUntilKilled = async (stage: Stage): Promise<readonly Reply[]> => {
  const answered: Reply[] = []
  let killed: Promise<void> | undefined
  await byCallers(IDS, async (id) => {
    if (killed !== undefined) return
    const reply = await stage.emitter.expect([201], '/spends', spend(id)).catch((error: unknown) => {
      // The connection of a request under way ends with the service; anything before that is a failure.
      if (killed === undefined) throw error
      return undefined
    })
    if (reply === undefined) return
    answered.push(reply)
    if (answered.length === KILL_AFTER) killed = stage.service.kill()
  })
  await killed
  check(
    answered.length < SPENDS,
    () => 'the service was to be killed while spends were under way, and all were answered',
  )
  return answered
}

/** The record of each receipt hashes to the receipt's leaf (RFC 6962, section 2.1). */
const checkReceipts = (stage: Stage, receipts: readonly Receipt[]): Promise<void> =>
  byCallers(receipts, async ({ seq, leaf }) => {
    const found = createHash('sha256')
      .update(Buffer.of(0))
      .update(await stage.operator.record(seq))
      .digest('hex')
    check(found === leaf, () => `record ${seq} was answered with leaf ${leaf}, and now has ${found}`)
  })

/** How many requests found their answer written already. */
const sendAllAgain = async (stage: Stage, given: readonly Reply[]): Promise<number> => {
  const before = new Map(given.map(({ body }) => [body['id'], JSON.stringify(body['receipt'])]))
  let repeated = 0
  await byCallers(IDS, async (id) => {
    const { body, replayed } = await stage.emitter.expect([201], '/spends', spend(id))
    const first = before.get(id)
    const now = JSON.stringify(body['receipt'])
    check(first === undefined || first === now, () => `${id} was answered with ${first}, and again with ${now}`)
    if (replayed) repeated++
  })
  check(repeated >= given.length, () => `${given.length} spends had been answered, and only ${repeated} are known`)
  return repeated
}

const spend = (id: string): JsonObject => ({ id, dataset: NAME, mechanism: 'declared_pure', epsilon: '0.01' })

/** Works the items off, `CALLERS` at a time. */
const byCallers = async <Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> => {
  const queue = items.values()
  const caller = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}
