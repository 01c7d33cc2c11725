import { DataDirectory } from '../adapters/data-directory.js'
import { keyIdOf, publicKeyText, signingKeyFrom } from '../ledger/signing.js'
import { type Io, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'

/** `keys --data DIR`: the public key that checks this ledger's proofs; never the secret one. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data'] })
  const { publicKey } = signingKeyFrom(DataDirectory.inspect(options.required('data')).readSigningSeed())
  const key = {
    algorithm: 'Ed25519',
    id: keyIdOf(publicKey),
    raw: Buffer.from(publicKey).toString('base64'),
    pem: publicKeyText(publicKey),
  }
  if (options.flag('json')) writeJson(io, key)
  else writeLine(io, `id   ${key.id}\nraw  ${key.raw}\n\n${key.pem.trimEnd()}`)
  return 0
}
