import { hash } from 'node:crypto'
import nacl from 'tweetnacl'
import { LedgerError } from './errors.js'

/** An Ed25519 key pair (RFC 8032). */
export interface SigningKey {
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** The same 32 bytes give the same key; they are all there is to keep secret. */
export const signingKeyFrom = (seed: Uint8Array): SigningKey => {
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed)
  return { publicKey, sign: (message) => nacl.sign.detached(message, secretKey) }
}

export const verifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  publicKey.length === 32 && signature.length === 64 && nacl.sign.detached.verify(message, signature, publicKey)

/** A public key as PEM (RFC 8410), the form that `openssl pkey -pubin` reads. */
export const publicKeyText = (publicKey: Uint8Array): string =>
  `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([SPKI_PREFIX, publicKey]).toString('base64')}\n-----END PUBLIC KEY-----\n`

/** Reads what {@link publicKeyText} writes. Throws `KEY_UNREADABLE`. */
export const parsePublicKey = (text: string): Uint8Array => {
  const body =
    /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/]{59}=)\r?\n-----END PUBLIC KEY-----\s*$/.exec(text)?.[1] ?? ''
  const der = Buffer.from(body, 'base64')
  const isEd25519 = der.length === SPKI_PREFIX.length + 32 && der.subarray(0, SPKI_PREFIX.length).equals(SPKI_PREFIX)
  if (isEd25519 && der.toString('base64') === body) return new Uint8Array(der.subarray(SPKI_PREFIX.length))
  throw new LedgerError('KEY_UNREADABLE', 'this is no Ed25519 public key in PEM form', {
    retry: 'never',
    hint: 'It begins with -----BEGIN PUBLIC KEY-----, followed by one line of 60 characters.',
    exitCode: 12,
  })
}

/** SHA-256 of the key's DER form in hex: `openssl pkey -pubin -outform DER | sha256sum` gives the same. */
export const keyIdOf = (publicKey: Uint8Array): string => hash('sha256', Buffer.concat([SPKI_PREFIX, publicKey]), 'hex')

/** SubjectPublicKeyInfo of Ed25519 up to the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
