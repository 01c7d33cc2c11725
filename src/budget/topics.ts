/** The forms that records have for places in topics: what decides takes no others, and what verifies finds no others. */

export const isTopic = (topic: unknown): boolean => typeof topic === 'string' && /^[A-Za-z0-9._-]{1,249}$/.test(topic)

export const isPartition = (partition: unknown): boolean =>
  Number.isInteger(partition) && (partition as number) >= 0 && (partition as number) < 2 ** 31

/** A decimal string below 10^19. */
export const isOffset = (offset: unknown): boolean => typeof offset === 'string' && /^(?:0|[1-9]\d{0,18})$/.test(offset)

export const isDigest = (digest: unknown): boolean => typeof digest === 'string' && /^[0-9a-f]{32}$/.test(digest)

export const partitionText = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `partition ${partition} of ${topic}`
