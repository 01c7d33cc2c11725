import { spawn, spawnSync } from 'node:child_process'
import type { TestContext } from 'vitest'
import { PROGRAM, type Run } from './service.js'
import { temporaryFolder } from './temporary-folder.js'

/** A name space of mounts that ends with its process: nothing stays mounted, whatever becomes of the test. */
const NAME_SPACE = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user']

/**
 * Runs a shell script that has a file system of its own at `$DISK`, and the program as `ledger`, for at most a minute each time. Where no file system can be
 * mounted the test is skipped, or fails where everything is required.
 *
 * @param options of the mount: `size=20m`
 */
export const onOwnDisk = (context: TestContext, options: string, script: string): Promise<Run> => {
  const disk = temporaryFolder()
  const mount = `mount -t tmpfs -o ${options} tmpfs "$DISK"`
  const environment = { ...process.env, DISK: disk, NODE: process.execPath, PROGRAM }
  const tried = spawnSync('unshare', [...NAME_SPACE, 'sh', '-c', mount], { env: environment })
  if (tried.status !== 0) {
    const missing = `no file system can be mounted here: ${tried.error?.message ?? tried.stderr}`
    if (process.env['REQUIRE_ALL'] === '1') throw new Error(missing)
    return context.skip(missing)
  }
  const whole = `${mount} && ledger() { timeout 60 "$NODE" "$PROGRAM" "$@"; }\n${script}`
  const child = spawn('unshare', [...NAME_SPACE, 'sh', '-c', whole], { env: environment })
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}
