import { createPublicKey, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { openEnvelope, preAuthenticationEncoding, signEnvelope } from '../../src/ledger/dsse.js'
import { keyIdOf, parsePublicKey, publicKeyText, signingKeyFrom, verifySignature } from '../../src/ledger/signing.js'

// RFC 8032 section 7.1, test 2.
const seed = Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex')
const key = signingKeyFrom(seed)
const other = signingKeyFrom(Buffer.alloc(32, 7))
const payload = Buffer.from('{"verdict":"verified"}')

test('keys and signatures are those of RFC 8032', () => {
  const message = Buffer.from('72', 'hex')
  expect(Buffer.from(key.publicKey).toString('hex')).toBe(
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  )
  expect(Buffer.from(key.sign(message)).toString('hex')).toBe(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  )
})

test('a signature holds for its key and its message only', () => {
  const signature = key.sign(payload)
  expect(verifySignature(key.publicKey, payload, signature)).toBe(true)
  expect(verifySignature(other.publicKey, payload, signature)).toBe(false)
  expect(verifySignature(key.publicKey, Buffer.from('x'), signature)).toBe(false)
  expect(verifySignature(key.publicKey, payload, signature.subarray(1))).toBe(false)
})

test("OpenSSL reads the key's text, and accepts what it signed", () => {
  const text = publicKeyText(key.publicKey)
  expect(parsePublicKey(text)).toEqual(key.publicKey)
  const signed = preAuthenticationEncoding('application/vnd.in-toto+json', payload)
  const [signature] = signEnvelope(payload, key).signatures
  expect(verify(null, signed, createPublicKey(text), Buffer.from(signature?.sig ?? '', 'base64'))).toBe(true)
})

test('what is no Ed25519 public key is refused', () => {
  const text = publicKeyText(key.publicKey)
  for (const bad of [
    '',
    'x',
    text.replace('PUBLIC', 'PRIVATE'),
    text.replace('MCow', 'MCox'),
    text.replace('=\n', '\n'),
  ]) {
    expect(() => parsePublicKey(bad)).toThrow(expect.objectContaining({ code: 'KEY_UNREADABLE', exitCode: 12 }))
  }
})

// The example of the DSSE specification, protocol.md.
test('the bytes that are signed are those of the specification', () => {
  const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'))
  expect(Buffer.from(encoded).toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
})

test('an envelope gives its payload back to whoever has the key', () => {
  const envelope = JSON.parse(JSON.stringify(signEnvelope(payload, key)))
  expect(Buffer.from(openEnvelope(envelope, key.publicKey)).toString()).toBe('{"verdict":"verified"}')
  expect(envelope.signatures[0].keyid).toBe(keyIdOf(key.publicKey))
})

test('an envelope that was altered, or signed by somebody else, does not open', () => {
  const envelope = signEnvelope(payload, key)
  const forged = { ...envelope, payload: Buffer.from('{"verdict":"violated"}').toString('base64') }
  expect(() => openEnvelope(forged, key.publicKey)).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_INVALID', exitCode: 20 }),
  )
  expect(() => openEnvelope(envelope, other.publicKey)).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }))
  expect(() => openEnvelope({ ...envelope, signatures: [] }, key.publicKey)).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
  )
  const retyped = { ...envelope, payloadType: 'text/plain' }
  expect(() => openEnvelope(retyped, key.publicKey)).toThrow(expect.objectContaining({ code: 'ENVELOPE_UNREADABLE' }))
  expect(() => openEnvelope(retyped, key.publicKey, 'text/plain')).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
  )
})

test('what is no envelope is refused', () => {
  const envelope = signEnvelope(payload, key)
  for (const bad of [
    null,
    1,
    {},
    { ...envelope, payload: 'ü' },
    { ...envelope, signatures: [{}] },
    { ...envelope, signatures: [{ sig: '?' }] },
  ]) {
    expect(() => openEnvelope(bad, key.publicKey)).toThrow(expect.objectContaining({ code: 'ENVELOPE_UNREADABLE' }))
  }
})
