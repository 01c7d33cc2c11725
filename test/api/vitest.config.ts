import { defineConfig } from 'vitest/config'

/** Other programs judge a served ledger: minutes, not seconds, so apart from the suite. */
export default defineConfig({
  test: {
    include: ['test/api/**/*.test.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
})
