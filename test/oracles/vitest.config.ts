import { defineConfig } from 'vitest/config'

/** `npm run test:oracles`: comparisons with other people's programs, which the plain tests cannot expect to be there. */
export default defineConfig({
  test: {
    include: ['test/oracles/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
})
