import { Injectable } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { Service } from '../application/service.js'
import { Topics } from '../application/topics.js'
import type { Appended } from '../ledger/writer.js'
import { observeTopics } from './topic-metrics.js'

/** Record types that answer a request, by what became of it. */
const DECISIONS: Readonly<Record<string, { readonly kind: string; readonly outcome: string }>> = {
  SpendAccepted: { kind: 'spend', outcome: 'accepted' },
  SpendRefused: { kind: 'spend', outcome: 'refused' },
  SpendReported: { kind: 'report', outcome: 'accepted' },
  ReservationOpened: { kind: 'reservation', outcome: 'accepted' },
  ReservationRefused: { kind: 'reservation', outcome: 'refused' },
  ReservationSettled: { kind: 'reservation', outcome: 'settled' },
  ReservationReleased: { kind: 'reservation', outcome: 'released' },
  ReservationExpired: { kind: 'reservation', outcome: 'expired' },
  RequestInvalid: { kind: 'message', outcome: 'invalid' },
}

/** Gauges of the library with the suffix of a counter; promtool refuses them. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** What an operator watches, in the text format of Prometheus. Names of units never become labels. */
@Injectable()
export class Metrics {
  readonly contentType: string
  private readonly registry = new Registry()
  private readonly durations: Histogram<'method' | 'route' | 'status'>

  constructor(service: Service, topics: Topics) {
    this.contentType = this.registry.contentType
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    for (const name of MISNAMED) this.registry.removeSingleMetric(name)
    this.durations = new Histogram({
      name: 'epsilon_http_request_duration_seconds',
      help: 'Time from the request to the end of its answer.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    })
    service.onAppend(appendsIn(registers))
    observeTopics(topics, service, registers)
    for (const { name, help, value } of gaugesOf(service)) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value())
        },
      })
    }
    new Counter({
      name: 'epsilon_decisions_total',
      help: 'Recorded decisions since the ledger began, by kind and outcome.',
      labelNames: ['kind', 'outcome'],
      registers,
      collect() {
        this.reset()
        const counts = service.state.counts()
        for (const [type, labels] of Object.entries(DECISIONS)) this.inc({ ...labels }, counts.get(type) ?? 0)
      },
    })
  }

  /** Measures every answered request. */
  observe(server: FastifyInstance): void {
    server.addHook('onResponse', (request, reply, done) => {
      const route = request.routeOptions.url ?? 'none'
      this.durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
      done()
    })
  }

  text(): Promise<string> {
    return this.registry.metrics()
  }
}

const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

/** Histograms of the durable appends; whoever calls what this returns adds one. */
const appendsIn = (registers: Registry[]): ((appended: Appended) => void) => {
  const duration = new Histogram({
    name: 'epsilon_append_duration_seconds',
    help: 'Time that the store took to make an append durable.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  })
  const commands = new Histogram({
    name: 'epsilon_append_commands',
    help: 'Commands that one append answered.',
    buckets: SIZES,
    registers,
  })
  const records = new Histogram({
    name: 'epsilon_append_records',
    help: 'Records that one append wrote.',
    buckets: SIZES,
    registers,
  })
  return (appended) => {
    duration.observe(appended.durationMs / 1000)
    commands.observe(appended.commands)
    records.observe(appended.records)
  }
}

const gaugesOf = (service: Service) => [
  { name: 'epsilon_head_seq', help: 'Number of the last record.', value: () => service.position().seq },
  {
    name: 'epsilon_head_block',
    help: 'Number of the last block: one a durable append, or a part of it.',
    value: () => service.position().block,
  },
  { name: 'epsilon_epoch', help: 'Goes up with every recovery.', value: () => service.epoch },
  { name: 'epsilon_waiting_commands', help: 'Commands without an answer.', value: () => service.waiting() },
  {
    name: 'epsilon_violations',
    help: 'Reports that took a guarantee beyond its cap.',
    value: () => service.state.violationCount,
  },
  {
    name: 'epsilon_open_reservations',
    help: 'Reservations neither settled, released nor expired.',
    value: () => service.state.openReservationCount,
  },
  { name: 'epsilon_halts', help: 'Halts in force.', value: () => service.state.registry.halts.length },
  { name: 'epsilon_policies', help: 'Policies in force.', value: () => service.state.registry.active.length },
  {
    name: 'epsilon_ready',
    help: '1 where the ledger can decide everything, else 0.',
    value: () => (service.readiness().length === 0 ? 1 : 0),
  },
]
