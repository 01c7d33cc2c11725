import { existsSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { startChild } from '../support/child.js'
import { childrenOf, isAlive } from '../support/test-server.js'

const program = new URL('forgetful.ts', import.meta.url)

test.each(['running', 'frozen', 'exit'])(
  '%s: a server and its folder go with the process that started it',
  async (how) => {
    const child = startChild(program, [how])
    const { pid, folder } = JSON.parse((await child.line()) ?? '') as { pid: number; folder: string }
    const processes = [pid, ...childrenOf(pid)]
    if (how !== 'exit') {
      expect(processes).toHaveLength(2)
      expect(processes.every(isAlive) && existsSync(folder)).toBe(true)
      await child.kill('SIGKILL')
    }
    const gone = () => expect(processes.some(isAlive) || existsSync(folder)).toBe(false)
    await vi.waitFor(gone, { timeout: 120_000, interval: 20 })
  },
)
