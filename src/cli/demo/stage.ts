import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../ledger/record.js'
import type { Standing } from './amounts.js'
import { Client } from './client.js'
import type { PolicyRequest } from './play.js'
import { Service } from './service.js'
import { check, type Story } from './story.js'

/** One ledger on stage: its data directory, the service in front of it, and those who talk to it. */
export class Stage {
  private constructor(
    readonly story: Story,
    /** Where the demo keeps all it makes. */
    readonly directory: string,
    readonly data: string,
    public service: Service,
    readonly operator: Client,
    readonly emitter: Client,
  ) {}

  /** Opens a new ledger under `name`, with the operator's token that its first start wrote and one for an emitter. */
  static async open(story: Story, directory: string, name: string): Promise<Stage> {
    const data = join(directory, name)
    const service = await Service.start(data, join(directory, `${name}.log`))
    const operator = new Client(readFileSync(join(data, 'operator.token'), 'utf8').trim(), service.url)
    const { body } = await operator.expect([201], '/tokens', { role: 'emitter', source: 'demo' })
    const emitter = new Client(String(body['token']), service.url)
    return new Stage(story, directory, data, service, operator, emitter)
  }

  /** Serves the same directory again, after the service was killed. */
  async restart(): Promise<void> {
    this.service = await Service.start(this.data, `${this.data}.log`)
    this.operator.moved(this.service.url)
    this.emitter.moved(this.service.url)
  }

  /** Stops the service, after an auditor has taken the log off it over HTTP. */
  async stop(): Promise<void> {
    writeFileSync(this.records, await this.operator.log())
    await this.service.stop()
  }

  /** The log as it was read over HTTP. */
  get records(): string {
    return `${this.data}-records.ndjson`
  }

  async setPolicy(policy: PolicyRequest): Promise<void> {
    await this.operator.expect([201], '/policies', policy)
  }

  /** What the ledger says of the budget of `policy` that a spend with these attributes would touch. */
  async standing(policy: string, attributes: JsonObject): Promise<Standing> {
    const { body } = await this.emitter.expect([200], '/spends/estimate', { ...attributes, mechanism: 'no_op' })
    const budgets = body['budgets'] as unknown as readonly (Standing & { readonly policy: string })[]
    const found = budgets.find((budget) => budget.policy === policy)
    check(found !== undefined, () => `the ledger says nothing of policy ${policy}: ${JSON.stringify(body)}`)
    return found
  }
}
