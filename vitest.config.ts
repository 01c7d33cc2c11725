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
    // For tests that hang: on a slow machine with much else to do, those that start a few processes take their time.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
})
