import { LedgerError } from '../../ledger/errors.js'

/** What a stream and its metadata say of themselves. */
export interface StreamFindings {
  readonly shown: string
  readonly stream: string
  /** Revision of the first event; `nothing` where there is no stream, `emptied` where nothing in it can be read. */
  readonly first: number | 'nothing' | 'emptied'
  readonly metadata: Readonly<Record<string, unknown>>
}

/**
 * What has been, or will be, taken from the beginning of a stream: a truncated stream reads like a short one, an emptied one like
 * a new one, a deleted one like one that never was. Undefined where nothing speaks for any of it.
 */
export const troubleIn = ({ shown, stream, first, metadata }: StreamFindings): LedgerError | undefined => {
  const before = metadata['$tb']
  if (first === 'nothing' && before !== undefined) return streamDeleted(shown, stream, `$tb ${before} in its metadata`)
  const caps = ['$maxCount', '$maxAge'].filter((name) => metadata[name] !== undefined)
  if (caps.length > 0) {
    return streamCapped(
      shown,
      stream,
      `${caps.map((name) => `${name} ${metadata[name]}`).join(' and ')}, and ${begins(first)}`,
    )
  }
  if (first === 'nothing') return undefined
  if (first === 0 && (before === undefined || before === 0)) return undefined
  return streamTruncated(
    shown,
    stream,
    `${begins(first)}${before === undefined ? '' : `, and its metadata has $tb ${before}`}`,
  )
}

const begins = (first: StreamFindings['first']): string => {
  if (first === 'emptied') return 'nothing in it can be read'
  if (first === 'nothing') return 'it has no events yet'
  return first === 0 ? 'it still begins with revision 0' : `it begins with revision ${first} instead of 0`
}

export const streamTruncated = (shown: string, stream: string, found: string): LedgerError =>
  trouble('STREAM_TRUNCATED', `stream ${stream} at ${shown} has lost its beginning: ${found}`, [
    'Serve nothing from it. If no scavenge has run since, take $tb out of the metadata of the stream, and what it hid is there again.',
    'Else restore the server from its own backup, or copy the ledger from another store.',
  ])

export const streamCapped = (shown: string, stream: string, found: string): LedgerError =>
  trouble('STREAM_CAPPED', `stream ${stream} at ${shown} drops its oldest events: its metadata has ${found}`, [
    'Take $maxCount and $maxAge out of the metadata of the stream before the next scavenge, and start again.',
  ])

export const streamDeleted = (shown: string, stream: string, found: string): LedgerError =>
  trouble('STREAM_DELETED', `stream ${stream} at ${shown} was deleted: ${found}`, [
    'Start no new ledger in its place. If no scavenge has run since, set the metadata of the stream to {}, and its events are there again.',
    'Else restore the server from its own backup, or copy the ledger from another store.',
  ])

export const streamTombstoned = (shown: string, stream: string): LedgerError =>
  trouble(
    'STREAM_TOMBSTONED',
    `stream ${stream} at ${shown} was tombstoned: no stream of this name can ever be again`,
    ['Restore the server from its own backup to before that, or copy the ledger from another store to another server.'],
  )

const trouble = (code: string, message: string, steps: readonly string[]): LedgerError =>
  new LedgerError(code, message, {
    retry: 'never',
    hint: [...steps, 'docs/runbooks/kurrentdb.md'].join(' '),
    exitCode: 20,
  })
