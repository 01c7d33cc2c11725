/** How long is waited for what, in milliseconds. */
export interface Patience {
  /** For the truth about one append, or for one read, all repeats included: a leader is replaced within some ten seconds. */
  readonly settleMs: number
  /** For the answer to one call, before it is made again: a hung connection never answers. */
  readonly answerMs: number
}

export const patienceOf = (settleMs: number): Patience => ({
  settleMs,
  answerMs: Math.min(5_000, Math.ceil(settleMs / 3)),
})

/** Nobody answered in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'

  constructor(ms: number) {
    super(`no answer within ${ms} ms`)
  }
}

/** What `answer` settles with, or a {@link NoAnswer}; whatever it does later is nobody's business any more. */
export const within = async <Answer>(ms: number, answer: Promise<Answer>): Promise<Answer> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(ms)), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Of the first pause between attempts: a restarted server is there again within a second. */
export const FIRST_PAUSE_MS = 25
