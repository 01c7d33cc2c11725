import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LEFT_OUT } from './test/left-out.js'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: Object.keys(LEFT_OUT).map((folder) => `${folder}/**`),
    globalSetup: ['test/left-out.ts'],
    // On two cores the standard would be one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
