import type { Status } from '@eventstore/db-client/generated/status_pb.js'
import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js'
import { badRequest, failure, tooLarge } from './batch-answers.js'
import type { ProposedEvent } from './events.js'
import type { Expected } from './streams.js'
import { expectedOf, proposedEvent, streamName } from './wire.js'

interface Append {
  readonly stream: string
  readonly expected: Expected
  readonly events: ProposedEvent[]
  readonly deadline: Date | undefined
}

/** The appends of one call whose parts are still arriving, each under its correlation id. */
export class ArrivingAppends {
  private readonly appends = new Map<string, Append>()

  constructor(private readonly maxBytes: number) {}

  /** An append that is whole, or that is refused before; undefined while parts are missing. */
  take(request: BatchAppendReq): (Append & { readonly refused: Status | undefined }) | undefined {
    const id = request.getCorrelationId()?.getString() ?? ''
    const append = this.appends.get(id) ?? begun(request)
    if (append === undefined) return undefined
    const refused = this.add(append, request)
    if (refused === undefined && !request.getIsFinal()) {
      this.appends.set(id, append)
      return undefined
    }
    this.appends.delete(id)
    return { ...append, refused }
  }

  /** Says why it cannot be. */
  private add({ events, deadline }: Append, request: BatchAppendReq): Status | undefined {
    if (deadline !== undefined && deadline.getTime() <= Date.now()) return failure('Timeout')
    try {
      events.push(...request.getProposedMessagesList().map(proposedEvent))
    } catch (error) {
      return badRequest(error)
    }
    const bytes = events.reduce((sum, { data }) => sum + data.length, 0)
    return bytes > this.maxBytes ? tooLarge(this.maxBytes) : undefined
  }
}

/** Only the first part says where its events belong. */
const begun = (request: BatchAppendReq): Append | undefined => {
  const options = request.getOptions()
  return (
    options && {
      stream: streamName(options.getStreamIdentifier()),
      expected: expectedOf(options, options.getStreamPosition()),
      events: [],
      deadline: options.getDeadline()?.toDate(),
    }
  )
}
