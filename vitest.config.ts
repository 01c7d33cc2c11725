import { defineConfig } from 'vitest/config'
import { LEFT_OUT } from './test/left-out.js'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: Object.keys(LEFT_OUT).map((folder) => `${folder}/**`),
    globalSetup: ['test/left-out.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
