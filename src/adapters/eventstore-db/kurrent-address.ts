import { LedgerError } from '../../ledger/errors.js'

/** Where a KurrentDB is, and who asks it. */
export interface KurrentLogin {
  /** `esdb://` or `kurrentdb://`, one or several hosts, and the client's own options. */
  readonly url: string
  /** Go before those of the URL. */
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface KurrentAddress {
  /** For the client alone: it may hold a password. */
  readonly connectionString: string
  /** For messages: the hosts, and nothing else. */
  readonly shown: string
}

/**
 * What the client is to be told. It is put together anew, since the client quotes the whole string, password included, in its own
 * warnings about options.
 *
 * @throws LedgerError CONFIGURATION_INVALID; the message never quotes what may be a secret.
 */
export const readAddress = ({ url, username, password }: KurrentLogin): KurrentAddress => {
  const parts = FORM.exec(url.trim())?.groups
  if (parts === undefined) throw invalid('is not of the form esdb://host:port,host:port?option=value')
  const hosts = hostsIn(parts['hosts'] ?? '')
  const discovers = parts['discover'] !== undefined
  // Of several hosts the client would ask only the first.
  if (discovers && hosts.length > 1) throw invalid('names several hosts and +discover; leave out +discover')
  const login = loginFrom(parts['login'], username, password)
  const options = optionsIn(parts['options'] ?? '')
  for (const [name, value] of Object.entries(STANDARD)) if (!options.has(name)) options.set(name, value)
  // A follower's answers are late: whoever decides reads and writes at the leader.
  if (discovers || hosts.length > 1) options.set('nodePreference', 'leader')
  const query = [...options].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  return {
    connectionString: `esdb${discovers ? '+discover' : ''}://${login}${hosts.join(',')}?${query}`,
    shown: `kurrentdb://${hosts.join(',')}`,
  }
}

const FORM =
  /^(?:esdb|kurrentdb)(?<discover>\+discover)?:\/\/(?:(?<login>[^@/?]*)@)?(?<hosts>[^@/?]+)\/?(?:\?(?<options>.*))?$/

/** Milliseconds. With the client's own 10 s + 10 s a hung server is noticed after 20 s, with these after 2. */
const STANDARD = { keepAliveInterval: '1000', keepAliveTimeout: '1000', connectionName: 'epsilon-ledger' } as const

/** What each option of the client may be here. */
const OPTIONS: Readonly<Record<string, RegExp>> = {
  tls: /^(?:true|false)$/,
  // The client cannot leave the check out, and says so in a line with the password in it.
  tlsVerifyCert: /^true$/,
  tlsCAFile: /./,
  userCertFile: /./,
  userKeyFile: /./,
  connectionName: /./,
  // Anything else would let the client answer from a follower, or hide a conflict.
  nodePreference: /^leader$/,
  throwOnAppendFailure: /^true$/,
  keepAliveInterval: /^(?:-1|\d{1,9})$/,
  keepAliveTimeout: /^(?:-1|\d{1,9})$/,
  defaultDeadline: /^[1-9]\d{0,8}$/,
  discoveryInterval: /^\d{1,9}$/,
  gossipTimeout: /^[1-9]\d{0,5}$/,
  maxDiscoverAttempts: /^[1-9]\d{0,5}$/,
}

const hostsIn = (text: string): readonly string[] =>
  text.split(',').map((host) => {
    if (!/^[\w.-]+(?::\d{1,5})?$/.test(host)) throw invalid('has a host that is not name:port')
    return host.includes(':') ? host : `${host}:2113`
  })

const optionsIn = (text: string): Map<string, string> => {
  const options = new Map<string, string>()
  for (const [given, value] of new URLSearchParams(text)) {
    const name = Object.keys(OPTIONS).find((known) => flat(known) === flat(given))
    if (name === undefined) throw invalid(`has an option that nobody knows: ${JSON.stringify(given)}`)
    if (!OPTIONS[name]?.test(value)) throw invalid(`has ${name} with a value that it cannot have here`)
    options.set(name, value)
  }
  return options
}

/** The client takes `tls-ca-file` for `tlsCAFile`. */
const flat = (name: string): string => name.toLowerCase().replace(/[_-]/g, '')

const loginFrom = (inUrl: string | undefined, username: string | undefined, password: string | undefined): string => {
  const [user = '', secret = ''] = inUrl === undefined ? [] : splitOnce(inUrl)
  const name = username ?? user
  const word = password ?? secret
  if (name === '' && word === '') return ''
  if (name === '' || word === '') throw invalid('has a user or a password, but not both')
  return `${encodeURIComponent(name)}:${encodeURIComponent(word)}@`
}

const splitOnce = (login: string): readonly string[] => {
  const colon = login.indexOf(':')
  const parts = colon < 0 ? [login] : [login.slice(0, colon), login.slice(colon + 1)]
  try {
    return parts.map(decodeURIComponent)
  } catch {
    throw invalid('has a user or a password with a broken % sequence')
  }
}

const invalid = (what: string): LedgerError =>
  new LedgerError('CONFIGURATION_INVALID', `the address of KurrentDB ${what}`, {
    retry: 'never',
    hint: 'For example esdb://node1:2113,node2:2113,node3:2113?tls=true&tlsCAFile=ca.crt. docs/stores.md',
    exitCode: 2,
  })
