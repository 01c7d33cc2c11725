import { type Block, MOST_BLOCK_BYTES, recordsOf } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import { decodeRecord, type Leaf, type LedgerRecord, leafHash } from '../ledger/record.js'
import { headerText, quoted } from './carried-event.js'
import { headerValues, type OutgoingMessage, type ReceivedMessage } from './wire-message.js'

/** One block of a ledger as the journal has it. */
export interface JournalBlock {
  readonly ledger: string
  readonly epoch: number
  readonly block: Block
}

/** What a message of the journal may be wrong in. The codes are stable. */
export type JournalFaultCode = 'NOT_JOURNAL' | 'JOURNAL_HEADER_INVALID' | 'JOURNAL_BLOCK_DAMAGED'

/** A message of the journal topic that is no block, or another one than its headers say. */
export class JournalFault extends LedgerError {
  override readonly name = 'JournalFault'

  constructor(
    override readonly code: JournalFaultCode,
    offset: string,
    detail: string,
  ) {
    super(code, `journal message ${offset}: ${detail}`, {
      retry: 'never',
      hint: 'Only ledgers may write to the journal. Keep the topic as it is, and find out who else does.',
      exitCode: 20,
    })
  }
}

/** The bytes of a block as they are stored, with headers that tell it from its repeats and its neighbours. */
export const journalMessage = (ledger: string, block: Block): OutgoingMessage => ({
  key: null,
  value: Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength),
  headers: {
    ledger,
    block: String(block.number),
    first: String(block.first),
    last: String(block.last),
    epoch: String(firstRecord(block).epoch),
    leaf: block.leaf,
  },
})

/**
 * Reads a message of the journal back. Checked are the headers, that the bytes hold as many records as they say, that the
 * first is of that number and epoch, and that the last hashes to the leaf. Whether blocks follow one another is for the chain
 * check.
 *
 * @throws JournalFault
 */
export const journalBlock = (message: ReceivedMessage): JournalBlock => {
  const { value, offset } = message
  const headers = new JournalHeaders(message)
  const ledger = headers.text('ledger')
  const epoch = headers.number('epoch')
  const [number, first, last] = [headers.number('block'), headers.number('first'), headers.number('last')]
  const leaf = headers.leaf('leaf')
  if (value === null) throw new JournalFault('NOT_JOURNAL', offset, 'it has no value')
  const read = { ledger, epoch, block: { number, first, last, leaf, bytes: value } }
  const damage = damageOf(read)
  if (damage === undefined) return read
  throw new JournalFault('JOURNAL_BLOCK_DAMAGED', offset, damage)
}

/**
 * What a message of the journal is to one ledger, by its header `ledger`: its own block, another ledger's, or a stray message that is no
 * ledger's. Of the others nothing more is read: whatever is wrong with them, nothing of this ledger is missing.
 *
 * @throws JournalFault for a message that says that it is this ledger's, and is no whole block.
 */
export const journalBlockOf = (message: ReceivedMessage, ledger: string): JournalBlock | 'other' | 'stray' => {
  const owners = headerValues(message, 'ledger').flatMap((value) => (value === null ? [] : [String(value)]))
  if (owners.includes(ledger)) return journalBlock(message)
  return owners.length === 0 ? 'stray' : 'other'
}

/** The headers of a journal message, each of which has to be there once and of its form. */
class JournalHeaders {
  constructor(private readonly message: ReceivedMessage) {}

  text(name: string): string {
    const found = headerText(this.message, name)
    if (typeof found === 'string') return found
    const problem = found === undefined ? 'is missing' : found.problem
    throw new JournalFault('NOT_JOURNAL', this.message.offset, `the header ${name} ${problem}`)
  }

  number(name: string): number {
    const found = this.text(name)
    if (/^(?:0|[1-9]\d{0,15})$/.test(found) && Number.isSafeInteger(Number(found))) return Number(found)
    throw this.invalid(name, 'a whole number', found)
  }

  leaf(name: string): Leaf {
    const found = this.text(name)
    if (/^[0-9a-f]{64}$/.test(found)) return found
    throw this.invalid(name, '64 hex digits', found)
  }

  private invalid(name: string, form: string, found: string): JournalFault {
    const detail = `the header ${name} must be ${form}, and is ${quoted(found)}`
    return new JournalFault('JOURNAL_HEADER_INVALID', this.message.offset, detail)
  }
}

/** What the bytes have against the headers; undefined where they agree. */
const damageOf = (read: JournalBlock): string | undefined => {
  try {
    return mismatch(read)
  } catch (error) {
    if (error instanceof LedgerError) return error.message
    throw error
  }
}

const mismatch = ({ block, epoch }: JournalBlock): string | undefined => {
  if (block.bytes.length > MOST_BLOCK_BYTES) {
    return `a block has at most ${MOST_BLOCK_BYTES} bytes, and this has ${block.bytes.length}`
  }
  if (block.last < block.first) return `it says that it begins with record ${block.first} and ends with ${block.last}`
  let last: Uint8Array = block.bytes
  for (const { bytes } of recordsOf(block)) last = bytes
  const leaf = leafHash(last)
  if (leaf !== block.leaf) return `its last record hashes to ${leaf}, and the header leaf is ${block.leaf}`
  const first = firstRecord(block)
  if (first.seq === block.first && first.epoch === epoch) return undefined
  return `it begins with record ${first.seq} of epoch ${first.epoch}, and its headers say record ${block.first} of epoch ${epoch}`
}

const firstRecord = ({ bytes }: Block): LedgerRecord => {
  const end = bytes.indexOf(LINE_FEED)
  return decodeRecord(bytes.subarray(0, end < 0 ? bytes.length : end), 'trusted')
}

const LINE_FEED = 0x0a
