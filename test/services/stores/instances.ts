import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { decisionKey, LogOracle } from '../../crash/log-oracle.js'
import { POLICIES } from '../../crash/policies.js'
import { Client } from '../../support/client.js'
import { runWith, Service } from '../../support/service.js'

const SPENDS = Number(process.env['INSTANCE_SPENDS'] ?? 50_000)
const KILLS = Number(process.env['INSTANCE_KILLS'] ?? 20)
const BUDGETS = 100
const BATCH = 50
/** Callers of each instance, each with one request under way. */
const CALLERS = 2

type Environment = Readonly<Record<string, string>>

/** One of the instances, which may be dead at the moment. */
interface Instance {
  service: Service
  alive: boolean
}

interface Told {
  readonly seq: number
  readonly leaf: string
  readonly accepted: boolean
}

/**
 * What has to hold for several instances on one stream: no cap is passed, no answer is taken back, every spend is decided once,
 * and every instance says the same in the end.
 *
 * @param environment where the stream is; each call of the test takes a ledger of its own there.
 */
export const severalInstances = (environment: () => Environment): void => {
  test(`three instances on one stream decide ${SPENDS} spends on ${BUDGETS} budgets, while two of them are killed`, async () => {
    const settings = { ...environment(), EPSILON_LEDGER: randomUUID() }
    const first = await Service.start({ environment: settings })
    const operator = await first.as('operator')
    for (const policy of POLICIES) if (policy.id === 'study') await operator.post('/v1/policies', policy)
    const token = await first.createToken('emitter', 'trainer')
    const others = await Promise.all([1, 2].map(() => Service.start({ environment: settings })))
    const instances = [first, ...others].map((service): Instance => ({ service, alive: true }))
    onTestFinished(async () => void (await Promise.all(instances.map(({ service }) => service.remove()))))

    const told = new Map<string, Told>()
    const load = new Load(token, told)
    const working = Promise.all(
      instances.flatMap((instance) => Array.from({ length: CALLERS }, () => load.run(instance, () => load.done))),
    )
    for (let kill = 0; kill < KILLS && !load.done; kill++) {
      await load.reaches(((kill + 1) * SPENDS) / (KILLS + 1))
      await killAndRestart(instances[1 + Math.floor(Math.random() * 2)] as Instance, Math.random() * 300)
    }
    await working
    expect(told.size).toBe(SPENDS)
    await checkLog(instances, told)
    expect(await runWith(settings, 'verify', '--data', first.data, '--json')).toMatchObject({ code: 0 })
  })
}

const killAndRestart = async (instance: Instance, awayMs: number): Promise<void> => {
  instance.alive = false
  await instance.service.kill()
  await sleep(awayMs)
  instance.service = await instance.service.restart()
  instance.alive = true
}

/** Asks for spends, each until it is answered, by whichever instance takes it. */
class Load {
  private next = 0
  private readonly again: number[] = []

  constructor(
    private readonly token: string,
    private readonly told: Map<string, Told>,
  ) {}

  get done(): boolean {
    return this.told.size === SPENDS
  }

  async reaches(count: number): Promise<void> {
    while (this.told.size < count && !this.done) await sleep(5)
  }

  async run(instance: Instance, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const numbers = instance.alive ? this.take() : []
      if (numbers.length === 0) await sleep(5)
      else if (!(await this.ask(instance.service, numbers))) this.again.push(...numbers)
    }
  }

  /** Those that got no answer come first, and now and then one that got one: its answer must not change. */
  private take(): readonly number[] {
    const numbers = this.again.splice(0, BATCH)
    while (numbers.length < BATCH && this.next < SPENDS) numbers.push(this.next++)
    if (numbers.length > 0 && this.next % 3 === 0) numbers.push(this.next - 1)
    return [...new Set(numbers)]
  }

  private async ask(service: Service, numbers: readonly number[]): Promise<boolean> {
    const client = new Client(service.url, this.token, 1)
    try {
      const reply = await client.post<{ results: readonly Result[] }>('/v1/spends/batch', {
        spends: numbers.map(spendOf),
      })
      if (reply.status !== 200) return false
      for (const [place, number] of numbers.entries()) this.note(number, reply.body.results[place] as Result)
      return true
    } catch {
      return false
    } finally {
      client.close()
    }
  }

  private note(number: number, { status, receipt }: Result): void {
    const id = `s-${number}`
    if (status === 503) return void this.again.push(number)
    if (status !== 201 && status !== 409) throw new Error(`${id} was answered with ${status}`)
    if (receipt === undefined) throw new Error(`${id} was answered without a receipt`)
    const now = { seq: receipt.seq, leaf: receipt.leaf, accepted: status === 201 }
    const before = this.told.get(id)
    if (before !== undefined) expect(now).toEqual(before)
    this.told.set(id, now)
  }
}

interface Result {
  readonly status: number
  readonly receipt?: { readonly seq: number; readonly leaf: string }
}

const spendOf = (number: number) => ({
  id: `s-${number}`,
  dataset: `d-${number % BUDGETS}`,
  purpose: 'study',
  mechanism: 'gaussian',
  noiseMultiplier: '100',
})

/** Every instance shows the same log, which says what was answered, and whose sums are those of an adding machine of its own. */
const checkLog = async (instances: readonly Instance[], told: ReadonlyMap<string, Told>): Promise<void> => {
  const oracle = new LogOracle()
  const heads = new Set<string>()
  const operator = (await instances[0]?.service.as('operator'))?.token
  for (const { service } of instances) {
    const auditor = service.client(operator)
    const { body } = await auditor.get<{ head: { leaf: string } }>(`/v1/ledger?atLeast=${largest(told)}`)
    heads.add(body.head.leaf)
    if (heads.size === 1 && oracle.next === 0) oracle.add((await auditor.get('/v1/records')).text)
  }
  expect(heads.size).toBe(1)
  for (const [id, { seq, leaf, accepted }] of told) {
    const type = accepted ? 'SpendAccepted' : 'SpendRefused'
    expect(oracle.decided.get(decisionKey('trainer', id, 'request'))).toEqual({ seq, leaf, type })
  }
  expect(oracle.types.get('SpendAccepted')).toBe([...told.values()].filter(({ accepted }) => accepted).length)
  expect(oracle.types.get('SpendRefused') ?? 0).toBe([...told.values()].filter(({ accepted }) => !accepted).length)
}

const largest = (told: ReadonlyMap<string, Told>): number =>
  [...told.values()].reduce((most, { seq }) => Math.max(most, seq), 0)
