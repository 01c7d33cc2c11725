import { readFile } from 'node:fs/promises'
import { BATCH, deleteState, fresh, headSeq, restarted, verifySeconds } from './ledger.js'
import { short, table } from './report.js'
import { runLoad, type Target } from './run-load.js'

/** One spend for each of so many units: what the service holds in memory, and how soon it is back. */
export const benchUnits = async (units: number): Promise<void> => {
  const rows: string[][] = [['figure', 'aim', 'measured']]
  let target = await fresh()
  try {
    const { accepted, seconds } = await runLoad(target, {
      ...BATCH,
      units,
      spends: units,
      order: 'in turn',
      seconds: 3_600,
    })
    rows.push([`spends/s over ${short(units)} units`, '', short(accepted / seconds)])
    rows.push(['records', '', short((await headSeq(target)) + 1)])
    rows.push(['memory after the load, MiB (peak)', '< 1,024', await memory(target.service.pid)])
    await target.service.kill()
    target = await restarted(target)
    const answeredMs = await firstAnswerMs(target)
    rows.push(['restart after kill -9 to the first answer, s', '<= 5', short(answeredMs / 1_000)])
    rows.push(['memory after the restart, MiB (peak)', '< 1,024', await memory(target.service.pid)])
    await target.service.kill()
    await deleteState(target.service.data)
    target = await restarted(target)
    rows.push(['restart without state, s', '', short((await firstAnswerMs(target)) / 1_000)])
    rows.push(['memory after the rebuild, MiB (peak)', '< 1,024', await memory(target.service.pid)])
    await target.service.stop()
    rows.push(['verify, s', '<= 60', short(await verifySeconds(target.service.data))])
  } finally {
    await target.service.remove()
  }
  console.log(table(rows))
}

/** From the start of the process until a budget is shown. */
const firstAnswerMs = async ({ service }: Target): Promise<number> => {
  const asked = performance.now()
  const reply = await (await service.as('operator')).get('/v1/units/u0/budgets')
  if (reply.status !== 200) throw new Error(`no budgets: ${reply.status} ${reply.text}`)
  return service.readyAfterMs + performance.now() - asked
}

const memory = async (pid: number): Promise<string> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024)
  return `${mebibytes('VmRSS')} (${mebibytes('VmHWM')})`
}
