import { compareProof, type OpenedProof, openProof } from '../recovery/proof.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { publicKeyFrom, readText } from './key-file.js'
import { type Options, parseOptions } from './options.js'
import { documentOf, exitCodeOf, wordsOf } from './report.js'
import { verifyDirectory, verifyFile } from './verification.js'

/** `verify --data DIR | --records FILE [--head LEAF]`, or `verify --proof FILE --key KEY [--records FILE]`. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data', 'records', 'head', 'proof', 'key'], flags: ['progress'] })
  const head = options.value('head')
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head))
    throw usage(`--head must be a leaf of 64 hex digits, not ${JSON.stringify(head)}`)
  return options.value('proof') === undefined ? verifyRecords(options, io) : verifyProof(options, io)
}

const verifyRecords = async (options: Options, io: Io): Promise<number> => {
  const data = options.value('data')
  const records = options.value('records')
  if ((data === undefined) === (records === undefined)) throw usage('give either --data DIR or --records FILE')
  if (options.value('key') !== undefined) throw usage('--key goes with --proof')
  if (data !== undefined && options.value('head') !== undefined)
    throw usage('--head goes with --records: a data directory keeps its own')
  const forced = options.flag('progress')
  const verification =
    data !== undefined
      ? await verifyDirectory(data, io, forced)
      : await verifyFile(records ?? '', io, { head: options.value('head'), forced })
  if (options.flag('json')) writeJson(io, documentOf(verification))
  else writeLine(io, wordsOf(verification))
  return exitCodeOf(verification)
}

const verifyProof = async (options: Options, io: Io): Promise<number> => {
  if (options.value('data') !== undefined || options.value('head') !== undefined)
    throw usage('a proof is compared with --records FILE')
  const key = publicKeyFrom(options.required('key'))
  const proof = openProof(readText(options.required('proof')), key)
  const records = options.value('records')
  const compared = records === undefined ? undefined : await compare(proof, records, options, io)
  const { ledger, head, size, verdict, sentence } = proof
  const ok = compared === undefined
  const document = {
    ok,
    ...(compared ?? {}),
    ledger,
    head,
    records: size,
    compared: records !== undefined,
    verdict,
    statement: sentence,
  }
  if (options.flag('json')) writeJson(io, document)
  else writeLine(io, wordsOfProof(proof, records, compared))
  if (!ok) return EXIT.integrity
  return verdict['code'] === 'verified' ? EXIT.ok : EXIT.violation
}

interface Mismatch {
  readonly seq?: number
  readonly code: string
  readonly detail: string
}

/** A log may have gone on since: the proof is about its first records. */
const compare = async (
  proof: OpenedProof,
  records: string,
  options: Options,
  io: Io,
): Promise<Mismatch | undefined> => {
  const verification = await verifyFile(records, io, {
    head: proof.head.leaf,
    records: proof.size,
    forced: options.flag('progress'),
  })
  const { fault } = verification
  if (fault !== undefined) return { seq: fault.seq, code: fault.code, detail: fault.message }
  const difference = compareProof(proof, verification)
  if (difference === undefined) return undefined
  const { pointer, proof: said, records: found } = difference
  return { code: 'PROOF_MISMATCH', detail: `at ${pointer} the proof says ${said}, the records give ${found}` }
}

const wordsOfProof = (
  { ledger, head, size, sentence }: OpenedProof,
  records: string | undefined,
  mismatch: Mismatch | undefined,
): string => {
  const about = `The signature holds. The proof is about ledger ${ledger}, ${size} records up to ${head.seq}, leaf ${head.leaf}.`
  if (mismatch !== undefined) return `${about}\n${mismatch.code}: ${mismatch.detail}`
  const compared =
    records === undefined
      ? 'It was not compared with records: give --records FILE to verify them again.'
      : `${records} holds these records, and verifying them again gives the same statement.`
  return `${about}\n${compared}\n\n${sentence}`
}
