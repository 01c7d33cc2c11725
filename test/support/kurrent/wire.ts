import type { Empty, StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import type { AppendReq, BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { ProposedEvent } from './events.js'
import type { Expected } from './streams.js'

/** Names, ids and revisions, as all messages of the protocol carry them. */

export const streamIdentifier = (name: string): StreamIdentifier =>
  new sharedPb.StreamIdentifier().setStreamName(Buffer.from(name))

export const streamName = (identifier: StreamIdentifier | undefined): string =>
  Buffer.from(identifier?.getStreamName_asU8() ?? []).toString()

/** In small letters; throws what the server says where it is none. */
export const uuid = (id: UUID | undefined): string => {
  const text = id?.getString().toLowerCase() ?? ''
  if (!/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(text)) throw new Error('Unrecognized Guid format.')
  return text
}

interface ExpectedRevision {
  hasNoStream(): boolean
  hasAny(): boolean
  hasStreamExists(): boolean
}

/** `revision` counts where none of the words is said. */
export const expectedOf = (options: ExpectedRevision, revision: string): Expected =>
  options.hasNoStream()
    ? 'no_stream'
    : options.hasAny()
      ? 'any'
      : options.hasStreamExists()
        ? 'stream_exists'
        : BigInt(revision)

export const proposedEvent = (message: BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage): ProposedEvent => ({
  id: uuid(message.getId()),
  type: message.getMetadataMap().get('type') ?? '',
  contentType: message.getMetadataMap().get('content-type') ?? '',
  metadata: message.getCustomMetadata_asU8(),
  data: message.getData_asU8(),
})

export const empty = (): Empty => new sharedPb.Empty()

/** An error that ends a call, with trailers by which the client knows it. */
export const callError = (
  code: status,
  details: string,
  trailers: Readonly<Record<string, string>> = {},
): Partial<ServiceError> => {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value)
  return { code, details, metadata }
}

export const notReady = (): Partial<ServiceError> => callError(status.UNAVAILABLE, 'Server Is Not Ready')

export const streamDeleted = (name: string): Partial<ServiceError> =>
  callError(status.FAILED_PRECONDITION, `Event stream '${name}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': name,
  })
