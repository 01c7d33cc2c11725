import { defineConfig } from 'vitest/config'

/** `npm run test:services`: the ledger beside real servers of other people, which the plain tests cannot expect to be there. */
export default defineConfig({
  test: {
    include: ['test/services/**/*.test.ts'],
    setupFiles: ['test/services/show-logs.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    disableConsoleIntercept: true,
  },
})
