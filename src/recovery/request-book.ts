import { hash } from 'node:crypto'
import type { SpendAccepted, SpendPart, SpendRefused } from '../budget/events.js'
import { nameProblem } from '../budget/names.js'
import { canonicalJson } from '../ledger/canonical.js'
import { type RecordedRequest, readRecorded } from './recorded-request.js'

type Kind = 'spend' | 'report' | 'reserve'

/**
 * Reads recorded requests, and remembers what all those have in common that differ in their unit alone: most of a log
 * is the same few releases for many people.
 */
export class RequestBook {
  readonly #known = new Map<string, Template>()

  /** As {@link readRecorded}, whose words hold. */
  read(kind: Kind, data: SpendAccepted | SpendRefused, parts: readonly SpendPart[]): RecordedRequest {
    const { unit, ...rest } = data.spend
    if (typeof unit !== 'string' || parts.length > 0 || 'dropped' in data || 'noise' in rest || 'clipping' in rest)
      return readRecorded(kind, data, parts)
    const key = `${kind} ${JSON.stringify(data.source)} ${JSON.stringify(rest)}`
    const template = this.#known.get(key)
    if (template !== undefined && nameProblem(unit) === undefined && nameProblem(data.id) === undefined) {
      const found = template.hashOf(unit)
      // Where it differs, the long way finds out what the right one is.
      if (found === data.hash) return template.requestOf(data.id, unit, found)
    }
    return this.#learned(kind, key, unit, readRecorded(kind, data, parts))
  }

  #learned(kind: Kind, key: string, unit: string, request: RecordedRequest): RecordedRequest {
    const template = Template.of(kind, request)
    if (this.#known.size >= MOST_TEMPLATES) this.#known.clear()
    if (template.hashOf(unit) === request.parsed.hash) this.#known.set(key, template)
    return request
  }
}

const MOST_TEMPLATES = 20_000

/** A request whose unit is left open. */
class Template {
  private constructor(
    private readonly request: RecordedRequest,
    /** The canonical text that is hashed, up to the unit. */
    private readonly before: string,
  ) {}

  /** The units come last in the canonical text, for no other name of it lies above theirs. */
  static of(kind: Kind, request: RecordedRequest): Template {
    const { attributes, neighboring, onExhausted, release, expiresInSeconds } = request.parsed
    const meaning = { ...attributes, units: [], kind, neighboring, onExhausted, release: release.key, expiresInSeconds }
    return new Template(request, canonicalJson(meaning).slice(0, -']}'.length))
  }

  hashOf(unit: string): string {
    return hash('sha256', `${this.before}${JSON.stringify(unit)}]}`, 'hex')
  }

  requestOf(id: string, unit: string, found: string): RecordedRequest {
    const { parsed } = this.request
    const units = [unit]
    return {
      ...this.request,
      parsed: { ...parsed, id, attributes: { ...parsed.attributes, units }, hash: found },
      units,
    }
  }
}
