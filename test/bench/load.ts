import { Connection, type RawReply } from './connection.js'
import { quantile, seeded } from './statistics.js'

/** What a load process does; it is started with this as its only argument. */
export interface Job {
  readonly port: number
  readonly token: string
  readonly connections: number
  /** Spends in one request: 1 goes to `/v1/spends`, more to `/v1/spends/batch`. */
  readonly perRequest: number
  /** Ends when so many spends are answered, or after so many seconds. */
  readonly spends: number
  readonly seconds: number
  /** Units that the spends are spread over: at random, or each in its turn. */
  readonly units: number
  readonly order: 'random' | 'in turn'
  /** Begins every id of this run. */
  readonly prefix: string
  /** What every spend says beside id and unit: JSON members. */
  readonly spend: string
}

export interface LoadResult {
  readonly accepted: number
  readonly other: number
  readonly seconds: number
  /** Milliseconds of a request. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Milliseconds of processor that the load itself took. */
  readonly ownCpuMs: number
  /** The first answer that was no acceptance. */
  readonly firstOther?: string
}

/** Each connection sends its next request when the last is answered. */
const load = async (job: Job): Promise<LoadResult> => {
  const path = job.perRequest === 1 ? '/v1/spends' : '/v1/spends/batch'
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => Connection.open(job.port, path, job.token)),
  )
  const bodies = bodiesOf(job)
  const tally = new Tally()
  const cpu = process.cpuUsage()
  const from = performance.now()
  const deadline = from + job.seconds * 1_000
  const drive = async (connection: Connection): Promise<void> => {
    while (performance.now() < deadline) {
      const body = bodies.next()
      if (body.done === true) return
      const sentAt = performance.now()
      tally.add(await connection.post(body.value), performance.now() - sentAt)
    }
  }
  await Promise.all(connections.map(drive))
  const seconds = (performance.now() - from) / 1_000
  for (const connection of connections) connection.close()
  const { user, system } = process.cpuUsage(cpu)
  return tally.result(seconds, (user + system) / 1_000)
}

function* bodiesOf(job: Job): Generator<string, undefined> {
  const random = seeded(1)
  const spendOf = (index: number): string => {
    const unit = job.order === 'random' ? Math.floor(random() * job.units) : index % job.units
    return `{"id":"${job.prefix}${index}","unit":"u${unit}",${job.spend}}`
  }
  for (let index = 0; index < job.spends; ) {
    if (job.perRequest === 1) yield spendOf(index++)
    else {
      const items: string[] = []
      while (items.length < job.perRequest && index < job.spends) items.push(spendOf(index++))
      yield `{"spends":[${items.join()}]}`
    }
  }
  return undefined
}

class Tally {
  private accepted = 0
  private other = 0
  private firstOther: string | undefined
  private readonly times: number[] = []

  add({ status, body }: RawReply, milliseconds: number): void {
    this.times.push(milliseconds)
    const text = body.toString('latin1')
    if (status === 201) this.accepted++
    else if (status === 200) this.addBatch(text)
    else this.addOther(1, text)
  }

  result(seconds: number, ownCpuMs: number): LoadResult {
    const sorted = this.times.toSorted((a, b) => a - b)
    const { accepted, other, firstOther } = this
    const times = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: quantile(sorted, 1) }
    return { accepted, other, seconds, ...times, ownCpuMs, ...(firstOther === undefined ? {} : { firstOther }) }
  }

  private addBatch(text: string): void {
    const accepted = occurrences(text, '"status":201')
    this.accepted += accepted
    const other = occurrences(text, '"status":') - accepted
    if (other > 0) this.addOther(other, text)
  }

  private addOther(count: number, text: string): void {
    this.other += count
    this.firstOther ??= text.slice(0, 1_000)
  }
}

const occurrences = (text: string, part: string): number => {
  let count = 0
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++
  return count
}

process.send?.(await load(JSON.parse(process.argv[2] as string) as Job))
process.disconnect?.()
