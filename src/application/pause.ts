/** Resolves after so many milliseconds, or at once when `cancel` aborts; leaves neither timer nor listener behind. */
export const pause = (ms: number, cancel?: AbortSignal): Promise<void> => {
  if (cancel?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      cancel?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    cancel?.addEventListener('abort', end)
  })
}

/** Waits for an ending, but no longer than so many milliseconds, and takes its failure for an end as well. */
export const endWithin = async (ms: number, ending: Promise<unknown>): Promise<void> => {
  const over = new AbortController()
  await Promise.race([ending.catch(() => undefined), pause(ms, over.signal)])
  over.abort()
}
