import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { answerOf } from '../../src/budget/answer.js'
import { eventOf } from '../../src/budget/event-of.js'
import { emptyRegistry } from '../../src/budget/registry.js'
import { messageDigest } from '../../src/kafka/message-digest.js'
import type { Block } from '../../src/ledger/block.js'
import { canonicalJson } from '../../src/ledger/canonical.js'
import { MerkleTree } from '../../src/ledger/merkle.js'
import type { JsonObject } from '../../src/ledger/record.js'
import { signingKeyFrom } from '../../src/ledger/signing.js'
import { openProof, proofOf, proofText } from '../../src/recovery/proof.js'
import { type Verification, Verifier } from '../../src/recovery/verify.js'
import { received } from '../support/client-wire.js'
import { type Example, LEDGER, run } from './example-ledger.js'
import { codeBlocks, exampleProblem, pretty, readPage, sectionNamed } from './markdown.js'

const PAGE = 'formats.md'
const SIGNING = signingKeyFrom(new Uint8Array(32).fill(7))

let examples: readonly Example[]
let blocks: readonly Block[]
let verification: Verification

beforeAll(async () => {
  ;({ examples, blocks } = await run())
  const verifier = new Verifier()
  for (const block of blocks) verifier.addBlock(block)
  verification = verifier.end(examples.at(-1)?.leaf)
})

const problem = (heading: string, language: string, made: string) => exampleProblem(PAGE, heading, language, made)
const textOf = (example: Example | undefined): string => Buffer.from(example?.bytes ?? []).toString()
const spend = (): Example => examples.find(({ record }) => record.type === 'SpendAccepted') as Example
const log = (): Uint8Array => Buffer.concat(blocks.map(({ bytes }) => bytes))
const proof = () => proofOf(verification, { name: 'epsilon-ledger', version: '0.1.0' }, SIGNING)

test('the record in the page is one that the program writes', () => {
  expect(problem('Record', 'json record', pretty(spend().record))).toBeUndefined()
})

test('the canonical bytes in the page are those that are stored', () => {
  expect(canonicalJson(spend().record)).toBe(textOf(spend()))
  expect(problem('Canonical bytes', 'json canonical', textOf(spend()))).toBeUndefined()
})

test('the leaf, the link of the next record, and the root in the page are right', () => {
  const next = examples[spend().record.seq + 1]
  expect(next?.record.prev).toBe(spend().leaf)
  expect(problem('Leaf', 'text leaf', spend().leaf)).toBeUndefined()
  expect(
    problem('Chain', 'text chain', `…,"epoch":0,"prev":"${next?.record.prev}","seq":${next?.record.seq},…`),
  ).toBeUndefined()
  const tree = MerkleTree.empty()
  for (const { leaf } of examples) tree.append(leaf)
  expect(tree.root()).toBe(verification.root)
  expect(problem('Chain', 'text root', `root   ${tree.root()}\nsha256 ${verification.digest}`)).toBeUndefined()
})

test('a shell computes the same leaf, by the command in the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'epsilon-ledger-'))
  try {
    writeFileSync(join(folder, 'records.ndjson'), log())
    const command = `printf '\\000%s' "$(sed -n ${spend().record.seq + 1}p records.ndjson)" | sha256sum | cut -c1-64`
    expect(problem('Leaf', 'sh leaf-command', command)).toBeUndefined()
    expect(execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' }).trim()).toBe(spend().leaf)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the digest of the message in the page is the one that its record would have', () => {
  const [text = ''] = codeBlocks(sectionNamed(readPage(PAGE), 3, 'Digest of a message').text, 'json message')
  const { timestamp, key, value, headers } = JSON.parse(text) as MessageShown
  const list = headers.map(([name, one]) => [name, Buffer.from(one)] as const)
  const message = received({ timestamp, key: Buffer.from(key), value: Buffer.from(value), headers: list })
  expect(problem('Digest of a message', 'text digest', messageDigest(message))).toBeUndefined()
})

interface MessageShown {
  readonly timestamp: string
  readonly key: string
  readonly value: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

test('the block in the page is one that the program writes', () => {
  const block = blocks.find(({ first, last }) => last > first)
  expect(block).toBeDefined()
  expect(problem('Block', 'json block', pretty({ ...block, bytes: block?.bytes.length }))).toBeUndefined()
})

test('the export in the page is the beginning of the blocks', () => {
  const lines = Buffer.from(log()).toString().split('\n').slice(0, 2)
  expect(problem('NDJSON export', 'text export', lines.join('\n'))).toBeUndefined()
})

test('the receipt in the page is the one that the answer has', () => {
  const { record, leaf } = spend()
  const receipt = { ledger: LEDGER, epoch: record.epoch, seq: record.seq, leaf }
  expect(answerOf(eventOf(record), [], receipt, emptyRegistry)?.['receipt']).toEqual(receipt)
  expect(problem('Receipt', 'json receipt', pretty(receipt))).toBeUndefined()
})

test('the proof in the page is what a verification of the run says and signs', () => {
  const envelope = proof()
  const { statement } = openProof(proofText(envelope), SIGNING.publicKey)
  expect(problem('Recovery proof', 'json proof', pretty(shortened(statement)))).toBeUndefined()
  const short = { ...envelope, payload: `${envelope.payload.slice(0, 60)}…` }
  expect(problem('Recovery proof', 'json envelope', pretty(short))).toBeUndefined()
})

/** One part of each check, and no counts: as the page says. */
const shortened = (statement: JsonObject): JsonObject => {
  const { counts: _, ...predicate } = statement['predicate'] as JsonObject
  const checks = (predicate['checks'] as readonly JsonObject[]).map((check) => ({
    ...check,
    parts: (check['parts'] as readonly JsonObject[]).slice(0, 1),
  }))
  return { ...statement, predicate: { ...predicate, checks } }
}
