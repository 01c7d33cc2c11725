import { DataDirectory } from '../adapters/data-directory.js'
import { replaceFile } from '../adapters/durable-file.js'
import { signingKeyFrom } from '../ledger/signing.js'
import { checksOf } from '../recovery/checks.js'
import { proofOf, proofText } from '../recovery/proof.js'
import { sentenceOf, verdictOf } from '../recovery/statement.js'
import type { Verification } from '../recovery/verify.js'
import { type Io, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'
import { thisProgram } from './program.js'
import { checksTable, documentOf, exitCodeOf, guaranteesTable, wordsOf } from './report.js'
import { verifyDirectory } from './verification.js'

/** `prove --data DIR [--out FILE] [--verbose]`: verifies the whole log, and signs what it has shown. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data', 'out'], flags: ['progress', 'verbose'] })
  const directory = DataDirectory.inspect(options.required('data'))
  const key = signingKeyFrom(directory.readSigningSeed())
  const verification = await verifyDirectory(directory.path, io, options.flag('progress'))
  const out = options.value('out')
  const proof = verification.fault === undefined ? proofText(proofOf(verification, thisProgram(), key)) : undefined
  if (proof !== undefined && out !== undefined) replaceFile(out, Buffer.from(proof), 0o644)
  if (options.flag('json')) {
    writeJson(io, { ...documentOf(verification), checks: checksOf(verification), ...proofFields(proof, out) })
  } else {
    showWords(io, verification, { proof, out, verbose: options.flag('verbose') })
  }
  return exitCodeOf(verification)
}

/** The proof itself, or where it lies. */
const proofFields = (proof: string | undefined, out: string | undefined) => {
  if (proof === undefined) return {}
  return out === undefined ? { proof: JSON.parse(proof) as unknown } : { out }
}

interface Shown {
  readonly proof: string | undefined
  readonly out: string | undefined
  readonly verbose: boolean
}

/** People see the checks on stderr where the proof itself goes to stdout. */
const showWords = (io: Io, verification: Verification, { proof, out, verbose }: Shown): void => {
  const checks = checksOf(verification)
  const sound = verification.fault === undefined
  const words = [
    ...(sound ? [sentenceOf(verdictOf(verification, checks))] : [wordsOf(verification), 'Nothing was signed.']),
    ...(proof !== undefined && out !== undefined ? [`signed: ${out}`] : []),
    ...(sound ? ['', guaranteesTable(verification)] : []),
    '',
    checksTable(checks, verbose),
  ]
  if (proof === undefined || out !== undefined) writeLine(io, words.join('\n'))
  else {
    io.stderr.write(`${words.join('\n')}\n`)
    io.stdout.write(proof)
  }
}
