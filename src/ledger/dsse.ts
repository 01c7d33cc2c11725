import { LedgerError } from './errors.js'
import { keyIdOf, type SigningKey, verifySignature } from './signing.js'

/** A signed statement: DSSE envelope v1.0.2, as in-toto attestations travel. */
export interface Envelope {
  readonly payloadType: string
  /** Base64. */
  readonly payload: string
  readonly signatures: readonly EnvelopeSignature[]
}

export interface EnvelopeSignature {
  /** A hint which key it was; it proves nothing. */
  readonly keyid: string
  /** Base64. */
  readonly sig: string
}

export const IN_TOTO = 'application/vnd.in-toto+json'

export const signEnvelope = (payload: Uint8Array, key: SigningKey, payloadType = IN_TOTO): Envelope => ({
  payloadType,
  payload: Buffer.from(payload).toString('base64'),
  signatures: [
    {
      keyid: keyIdOf(key.publicKey),
      sig: Buffer.from(key.sign(preAuthenticationEncoding(payloadType, payload))).toString('base64'),
    },
  ],
})

/** The payload, where this key has signed it as this type. Throws `SIGNATURE_INVALID`, and `ENVELOPE_UNREADABLE` for what is no envelope. */
export const openEnvelope = (envelope: unknown, publicKey: Uint8Array, payloadType = IN_TOTO): Uint8Array => {
  if (!isEnvelope(envelope)) throw failed('ENVELOPE_UNREADABLE', 'this is no DSSE envelope')
  if (envelope.payloadType !== payloadType) {
    throw failed('ENVELOPE_UNREADABLE', `the payload is of type ${envelope.payloadType}, not ${payloadType}`)
  }
  const payload = fromBase64(envelope.payload)
  const message = preAuthenticationEncoding(payloadType, payload)
  const signed = envelope.signatures.some(({ sig }) => verifySignature(publicKey, message, fromBase64(sig)))
  if (!signed)
    throw failed(
      'SIGNATURE_INVALID',
      `none of the ${envelope.signatures.length} signatures is by key ${keyIdOf(publicKey)}`,
    )
  return payload
}

/** What is signed: PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body. */
export const preAuthenticationEncoding = (payloadType: string, payload: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `), payload])

const isEnvelope = (value: unknown): value is Envelope => {
  const { payloadType, payload, signatures } = (value ?? {}) as Partial<Envelope>
  return (
    typeof payloadType === 'string' &&
    typeof payload === 'string' &&
    Array.isArray(signatures) &&
    signatures.length <= MOST_SIGNATURES &&
    signatures.every((signature) => typeof signature?.sig === 'string')
  )
}

const MOST_SIGNATURES = 16

/** Standard or URL-safe base64, both of which the specification allows; nothing else. */
const fromBase64 = (text: string): Uint8Array => {
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  throw failed('ENVELOPE_UNREADABLE', 'a payload or a signature is no base64')
}

const failed = (code: string, message: string): LedgerError =>
  new LedgerError(code, message, { retry: 'never', exitCode: 20 })
