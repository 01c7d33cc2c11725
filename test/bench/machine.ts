import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { quantile } from './statistics.js'

/** What a figure means little without. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Milliseconds of an append of 400 bytes with fdatasync. */
  readonly syncMs: { readonly p50: number; readonly p99: number }
}

export const machineFacts = (folder: string): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.version,
  syncMs: syncLatency(folder),
})

const SYNCS = 500

const syncLatency = (folder: string): Machine['syncMs'] => {
  const path = join(folder, 'sync-latency')
  const file = openSync(path, 'w')
  const bytes = Buffer.alloc(400, 'x')
  const times: number[] = []
  for (let round = 0; round < SYNCS; round++) {
    const from = performance.now()
    writeSync(file, bytes)
    fdatasyncSync(file)
    times.push(performance.now() - from)
  }
  closeSync(file)
  rmSync(path)
  times.sort((a, b) => a - b)
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
}

/** Milliseconds of processor that all threads of a process have taken; says more than a rate where the machine is shared. */
export const processorMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user + system) * MS_PER_TICK
}

/** Linux shows its ticks at 100 a second, whatever the kernel's own rate. */
const MS_PER_TICK = 10

/** Share of the time that the host has kept from this machine since `from`; undefined where the kernel does not say. */
export class StealMeter {
  private readonly from = processorTimes()

  share(): number | undefined {
    const now = processorTimes()
    if (this.from === undefined || now === undefined) return undefined
    const all = now.all - this.from.all
    return all === 0 ? 0 : (now.stolen - this.from.stolen) / all
  }
}

const processorTimes = (): { readonly all: number; readonly stolen: number } | undefined => {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/) ?? []
    return { all: ticks.slice(0, 8).reduce((sum, tick) => sum + Number(tick), 0), stolen: Number(ticks[7] ?? 0) }
  } catch {
    return undefined
  }
}
