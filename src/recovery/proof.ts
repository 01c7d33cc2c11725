import { canonicalJson } from '../ledger/canonical.js'
import { type Envelope, IN_TOTO, openEnvelope, signEnvelope } from '../ledger/dsse.js'
import { LedgerError } from '../ledger/errors.js'
import type { JsonObject, JsonValue } from '../ledger/record.js'
import { keyIdOf, type SigningKey } from '../ledger/signing.js'
import { PREDICATE_TYPE, type Program, STATEMENT_TYPE, statementOf } from './statement.js'
import type { Verification } from './verify.js'

/** A statement whose signature holds. */
export interface OpenedProof {
  readonly statement: JsonObject
  readonly ledger: string
  readonly head: { readonly seq: number; readonly leaf: string }
  readonly size: number
  readonly verdict: JsonObject
  readonly sentence: string
}

/** Signs what a verification has shown: the same log, program and key give the same bytes. */
export const proofOf = (verification: Verification, program: Program, key: SigningKey): Envelope =>
  signEnvelope(Buffer.from(canonicalJson(statementOf(verification, program))), key)

/** The bytes of a proof's file: canonical JSON and a line feed. */
export const proofText = (envelope: Envelope): string => `${canonicalJson(envelope)}\n`

/**
 * Opens a proof: the signature is by this key, and envelope and payload are the very bytes that {@link proofText} gives,
 * so that no byte of a proof can be changed.
 *
 * @throws LedgerError SIGNATURE_INVALID, ENVELOPE_UNREADABLE, PROOF_UNREADABLE.
 */
export const openProof = (file: string, publicKey: Uint8Array): OpenedProof => {
  const envelope = parseEnvelope(file)
  const payload = openEnvelope(envelope, publicKey)
  const [signature] = envelope.signatures
  const sig = Buffer.from(signature?.sig ?? '', 'base64').toString('base64')
  const same = {
    payloadType: IN_TOTO,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid: keyIdOf(publicKey), sig }],
  }
  if (proofText(same) !== file) throw unreadable('its envelope is not written as this program writes it')
  const text = Buffer.from(payload).toString('utf8')
  const statement = parse(text)
  if (statement['_type'] !== STATEMENT_TYPE || statement['predicateType'] !== PREDICATE_TYPE) {
    throw unreadable(`it is a ${String(statement['predicateType'])}, not a ${PREDICATE_TYPE}`)
  }
  const { ledger, head, size, verdict, statement: sentence } = statement['predicate'] as JsonObject
  return {
    statement,
    ledger: ledger as string,
    head: head as unknown as OpenedProof['head'],
    size: size as number,
    verdict: verdict as JsonObject,
    sentence: sentence as string,
  }
}

/** Where a proof and the records it is about part: both sides, and the place in the statement. */
export interface Difference {
  /** JSON pointer into the statement. */
  readonly pointer: string
  readonly proof: string
  readonly records: string
}

/**
 * Compares a proof with a full verification of records, and names the first difference; undefined where there is none.
 *
 * @throws LedgerError with the fault's code where the records have a bad one.
 */
export const compareProof = (proof: OpenedProof, verification: Verification): Difference | undefined => {
  if (verification.fault !== undefined) throw verification.fault
  const program = (proof.statement['predicate'] as JsonObject)['program'] as unknown as Program
  return firstDifference(proof.statement, statementOf(verification, { ...program }), '')
}

const parseEnvelope = (file: string): Envelope => {
  try {
    const envelope = JSON.parse(file) as Envelope
    if (Array.isArray(envelope.signatures)) return envelope
  } catch (error) {
    throw unreadable((error as Error).message)
  }
  throw unreadable('it is no DSSE envelope')
}

const parse = (text: string): JsonObject => {
  try {
    const statement = JSON.parse(text) as JsonObject
    if (canonicalJson(statement) === text && typeof statement['predicate'] === 'object') return statement
  } catch (error) {
    throw unreadable((error as Error).message)
  }
  throw unreadable('its payload is not canonical JSON (RFC 8785)')
}

const unreadable = (why: string): LedgerError =>
  new LedgerError('PROOF_UNREADABLE', `this is no recovery proof: ${why}`, { retry: 'never', exitCode: 20 })

/** What was counted or concluded says less than what was read: the subject is compared first. */
const firstDifference = (
  one: JsonValue | undefined,
  other: JsonValue | undefined,
  pointer: string,
): Difference | undefined => {
  if (isTree(one) && isTree(other) && Array.isArray(one) === Array.isArray(other)) {
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort(subjectFirst)
    for (const name of names) {
      const inner = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
      const found = firstDifference((one as JsonObject)[name], (other as JsonObject)[name], inner)
      if (found !== undefined) return found
    }
    return undefined
  }
  return one === other ? undefined : { pointer, proof: shown(one), records: shown(other) }
}

const isTree = (value: JsonValue | undefined): value is JsonObject | readonly JsonValue[] =>
  typeof value === 'object' && value !== null

const subjectFirst = (one: string, other: string): number =>
  Number(other === 'subject') - Number(one === 'subject') || (one < other ? -1 : one > other ? 1 : 0)

const shown = (value: JsonValue | undefined): string =>
  value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 200)
