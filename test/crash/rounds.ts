import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { seeded } from '../bench/statistics.js'
import type { Client } from '../support/client.js'
import { onOneDay } from '../support/midnight.js'
import { killWhileStarting, type Run, run, Service } from '../support/service.js'
import { Book } from './book.js'
import { Emitter, SHORT_SECONDS } from './clients.js'
import { LogOracle } from './log-oracle.js'
import { POLICIES } from './policies.js'
import { checkAnswers, checkBudgets, shownState } from './views.js'

export interface Plan {
  readonly kills: number
  readonly seed: number
  /** Longest time under load before a kill. */
  readonly loadMs: number
  /** Every so many kills the log is verified by the program, and the state thrown away and rebuilt. */
  readonly verifyEvery: number
  readonly rebuildEvery: number
  readonly progress: (line: string) => void
}

export interface Summary {
  readonly kills: number
  readonly records: number
  readonly permits: number
  readonly violations: number
  readonly told: number
  /** Requests that a kill left without an answer, and that were sent again; `kept` of them had been recorded. */
  readonly sentAgain: number
  readonly kept: number
  /** Records by type. */
  readonly types: Readonly<Record<string, number>>
}

interface Verdict {
  readonly violationCount: number
  readonly violations: readonly { readonly code: string }[]
}

const SOURCES = ['alpha', 'beta', 'gamma']
const CLIENTS_EACH = 2

/** Kills a service under load again and again, and throws at the first thing that anybody was told and that is no longer so. */
export const killAgainAndAgain = async (plan: Plan): Promise<Summary> => {
  const random = seeded(plan.seed)
  const first = await Service.start()
  const crash = new Crash(first, random, plan)
  try {
    await crash.prepare()
    for (let round = 1; round <= plan.kills; round++) {
      await crash.round(round)
      if (round % 10 === 0) plan.progress(crash.progress(round))
    }
    return await crash.finish()
  } catch (error) {
    throw new Error(`seed ${plan.seed}: ${(error as Error).message}\n${crash.output}`, { cause: error })
  } finally {
    await crash.remove()
  }
}

class Crash {
  private readonly book = new Book()
  private readonly log = new LogOracle()
  private readonly emitters: readonly Emitter[]
  private readonly tokens = new Map<string, string>()
  private sentAgain = 0
  private kept = 0

  constructor(
    private service: Service,
    private readonly random: () => number,
    private readonly plan: Plan,
  ) {
    this.emitters = SOURCES.map((source) => new Emitter(source, this.book, random))
  }

  get output(): string {
    return this.service.output.slice(-2_000)
  }

  async prepare(): Promise<void> {
    const operator = await this.service.as('operator')
    for (const policy of POLICIES) {
      const { status, text } = await operator.post('/v1/policies', policy)
      if (status !== 201) throw new Error(`policy ${policy.id} was not set: ${status} ${text}`)
    }
    for (const source of SOURCES) this.tokens.set(source, await this.service.createToken('emitter', source))
  }

  async round(round: number): Promise<void> {
    await this.loadAndKill(round)
    const verdict = round % this.plan.verifyEvery === 0 ? await this.verify() : undefined
    if (round % 7 === 0) await killWhileStarting(this.service.data, 50 + this.random() * 600)
    this.service = await this.service.restart()
    await this.readLog()
    if (verdict !== undefined) this.checkVerdict(verdict)
    await this.sendAgain()
    await this.readLog()
    await checkAnswers(this.book, (source) => this.clientOf(source), this.random)
    await checkBudgets(this.log, await this.service.as('operator'), this.book, this.random)
    if (round % this.plan.rebuildEvery === 0) await this.rebuild()
  }

  async finish(): Promise<Summary> {
    await this.service.stop()
    this.checkVerdict(await this.verify())
    const { log, book, sentAgain, kept } = this
    const types = Object.fromEntries(log.types)
    return {
      kills: this.plan.kills,
      records: log.next,
      permits: log.permits,
      violations: log.violations,
      told: book.told.size,
      sentAgain,
      kept,
      types,
    }
  }

  remove(): Promise<void> {
    return this.service.remove()
  }

  progress(round: number): string {
    return `${round} kills: ${this.log.next} records, ${this.log.permits} permits, ${this.book.told.size} answers hold, ${this.kept} of ${this.sentAgain} requests without an answer were kept`
  }

  private async loadAndKill(round: number): Promise<void> {
    let stopped = false
    const running = this.emitters.flatMap((emitter) =>
      Array.from({ length: CLIENTS_EACH }, () => emitter.run(this.clientOf(emitter.source), round, () => stopped)),
    )
    const failed = Promise.all(running).then(() => undefined)
    await Promise.race([sleep(20 + this.random() * this.plan.loadMs), failed])
    stopped = true
    await this.service.kill()
    await failed
  }

  /** Every answer that anybody was given is in the log, in its place, and the log keeps every cap. */
  private async readLog(): Promise<void> {
    const operator = await this.service.as('operator')
    const { status, text } = await operator.get(`/v1/records?from=${this.log.next}`)
    if (status !== 200) throw new Error(`the records cannot be read: ${status} ${text}`)
    this.log.add(text)
    for (const key of this.book.toldSince.splice(0)) {
      const told = this.book.told.get(key)
      const decided = this.log.decided.get(key)
      if (told === undefined || decided?.seq !== told.seq || decided.leaf !== told.leaf) {
        throw new Error(`${key} was told ${told?.text}, but the log has ${JSON.stringify(decided)}`)
      }
      if ((told.status === 409) !== decided.type.endsWith('Refused')) {
        throw new Error(`${key} was answered ${told.status}, but its record is a ${decided.type}`)
      }
    }
  }

  private async sendAgain(): Promise<void> {
    const waiting = this.book.unanswered.splice(0)
    this.sentAgain += waiting.length
    this.kept += waiting.filter(({ keys }) => keys.some((key) => this.log.decided.has(key))).length
    for (const sent of waiting) await this.book.send(this.clientOf(sent.source), sent)
    if (this.book.unanswered.length > 0)
      throw new Error('a service that nobody kills leaves requests without an answer')
  }

  private async rebuild(): Promise<void> {
    // What a reservation holds is shown as spent once it is overdue: let the short ones be so before.
    await sleep(SHORT_SECONDS * 1_000 + 100)
    await onOneDay(60_000)
    const before = await shownState(await this.service.as('operator'), this.book)
    await this.service.kill()
    await deleteState(this.service.data)
    this.service = await this.service.restart()
    const after = await shownState(await this.service.as('operator'), this.book)
    for (const [path, shown] of before) {
      if (isDeepStrictEqual(after.get(path), shown)) continue
      throw new Error(
        `after a rebuild ${path} shows ${JSON.stringify(after.get(path))}, before it ${JSON.stringify(shown)}`,
      )
    }
  }

  private verify(): Promise<Run> {
    return run('verify', '--data', this.service.data, '--json')
  }

  /** The log is sound, and nothing but the reports that this side counts itself goes beyond a guarantee. */
  private checkVerdict({ code, stdout, stderr }: Run): void {
    const { violationCount, violations } = JSON.parse(stdout) as Verdict
    const reportsOnly = violations.every((violation) => violation.code === 'REPORT_BEYOND_CAP')
    const expected = this.log.violations
    if (code === (expected === 0 ? 0 : 32) && violationCount === expected && reportsOnly) return
    throw new Error(`verify ends with ${code}, where ${expected} reports went beyond a guarantee: ${stdout}${stderr}`)
  }

  private clientOf(source: string): Client {
    return this.service.client(this.tokens.get(source), CLIENTS_EACH)
  }
}

const deleteState = async (data: string): Promise<void> => {
  const names = (await readdir(data)).filter((name) => name.startsWith('state.db'))
  if (names.length === 0) throw new Error('there is no state to throw away')
  await Promise.all(names.map((name) => rm(join(data, name))))
}
