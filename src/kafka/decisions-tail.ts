import type { KafkaMessage } from 'kafkajs'
import type { KafkaClients } from './client.js'
import { decisionSource } from './decision-message.js'
import { searchBack } from './search-back.js'
import { headerValues } from './wire-message.js'

/** What a decisions topic has of a ledger. */
export interface DecisionsTail {
  /** `seq` of the last record up to which every decision is known to be there; -1 for none. */
  readonly upTo: number
  /** `seq` of the newest record that has a decision there; -1 for none. */
  readonly newest: number
}

/**
 * Looks from the ends of the decisions topic back for what it has of a ledger. The newest message of each partition is
 * enough: the newest of them all was sent last.
 *
 * @throws as `readRange` does.
 */
export const decisionsTail = async (
  clients: KafkaClients,
  ledger: string,
  signal?: AbortSignal,
): Promise<DecisionsTail> => {
  const source = decisionSource(ledger)
  let upTo = -1
  let newest = -1
  await searchBack({
    clients,
    topic: clients.topic('decisions'),
    readUncommitted: true,
    ...(signal === undefined ? {} : { signal }),
    pick: (message) => {
      if (headerText(message, 'ce_source') !== source) return undefined
      const [, seq] = /^\d{1,15}-(\d{1,15})$/.exec(headerText(message, 'ce_id')) ?? []
      const head = /^\d{1,15}$/.exec(headerText(message, 'head'))?.[0]
      if (seq === undefined || head === undefined) return undefined
      newest = Math.max(newest, Number(seq))
      upTo = Math.max(upTo, Number(head))
      return true
    },
  })
  return { upTo, newest }
}

const headerText = (message: KafkaMessage, name: string): string => {
  const [value] = headerValues(message, name)
  return value === undefined || value === null ? '' : value.toString('utf8')
}
