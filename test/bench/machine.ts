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
export const processorMs = (pid: number): number => ticksOf(pid, 2) * MS_PER_TICK

/** Of its user and system time, and, with four counts, of that of its ended children. */
const ticksOf = (pid: number, counts: 2 | 4): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 11 + counts).reduce((sum, ticks) => sum + Number(ticks), 0)
}

/** Linux shows its ticks at 100 a second, whatever the kernel's own rate. */
const MS_PER_TICK = 10

/** Shares of all processor time of this machine. */
export interface TakenAway {
  /** What the host kept for itself. */
  readonly byHost: number
  /** What programs took that this one has not started. */
  readonly byOthers: number
}

/** How much of this machine was not there for the bench since this was made; undefined where the kernel does not say. */
export class AwayMeter {
  private readonly from = processorTimes()

  /** What still runs is counted as that of others. */
  share(): TakenAway | undefined {
    const now = processorTimes()
    if (this.from === undefined || now === undefined) return undefined
    const { all, stolen, busy, own } = this.from
    const passed = Math.max(1, now.all - all)
    const others = now.busy - busy - (now.own - own)
    return { byHost: (now.stolen - stolen) / passed, byOthers: Math.max(0, others) / passed }
  }
}

/** In ticks since the machine began. */
interface ProcessorTimes {
  readonly all: number
  readonly stolen: number
  readonly busy: number
  /** Of this process, and of those among its children that have ended. */
  readonly own: number
}

const processorTimes = (): ProcessorTimes | undefined => {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/) ?? []
    const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, hard = 0, soft = 0, stolen = 0] = ticks.map(Number)
    const busy = user + nice + system + hard + soft
    return { all: busy + idle + waiting + stolen, stolen, busy, own: ticksOf(process.pid, 4) }
  } catch {
    return undefined
  }
}
