import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.js'
import { MissingPart } from './missing-part.js'

/** What a client of the secured listeners needs. */
export interface SecuredAccess {
  /** `host:port` of the listener with TLS and no names. */
  readonly tls: string
  /** `host:port` of the listener with TLS that asks for name and password: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
  readonly sasl: string
  /** The PEM certificate that vouches for the broker. */
  readonly ca: string
  readonly username: string
  readonly password: string
}

export interface SecuredListeners {
  readonly access: SecuredAccess
  readonly listeners: readonly string[]
  readonly settings: Readonly<Record<string, string>>
  /** What the format of the storage is told: SCRAM's users live there. */
  readonly formatArgs: readonly string[]
}

const USERNAME = 'ledger'
const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
const LOGIN = 'org.apache.kafka.common.security'

/** Makes a certificate and a user in the folder. Throws `MissingPart` where openssl is not there. */
export const securedListeners = async (folder: string): Promise<SecuredListeners> => {
  const [tls, sasl] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
  const ca = await certificate(folder)
  const password = randomBytes(12).toString('hex')
  return {
    access: { tls, sasl, ca, username: USERNAME, password },
    listeners: [`TLS://${tls}`, `SASL://${sasl}`],
    settings: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(folder, 'keystore.pem'),
      'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
      'listener.name.sasl.plain.sasl.jaas.config': `${LOGIN}.plain.PlainLoginModule required user_${USERNAME}="${password}";`,
      ...Object.fromEntries(
        SCRAM.map((mechanism) => [
          `listener.name.sasl.${mechanism.toLowerCase()}.sasl.jaas.config`,
          `${LOGIN}.scram.ScramLoginModule required;`,
        ]),
      ),
    },
    formatArgs: SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${USERNAME},password=${password}]`]),
  }
}

const certificate = async (folder: string): Promise<string> => {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  await promisify(execFile)('openssl', [...fresh, ...name, '-keyout', key, '-out', certificate]).catch(
    (error: Error) => {
      throw new MissingPart(`a broker with TLS needs openssl: ${error.message}`)
    },
  )
  const pem = readFileSync(certificate, 'utf8')
  writeFileSync(join(folder, 'keystore.pem'), readFileSync(key, 'utf8') + pem, { mode: 0o600 })
  return pem
}
