#!/usr/bin/env node
// Runs the suite on other versions of Node than the one at hand. Each comes as an npm package that carries the binary.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const VERSIONS = ['24.21.0', '26.10.0']
const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')

for (const version of process.argv.length > 2 ? process.argv.slice(2) : VERSIONS) {
  const binary = install(version)
  console.log(`\n== the suite on Node ${version}`)
  run(binary, [vitest, 'run'])
}

function install(version) {
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(root, '.cache/nodes', version)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
  run('npm', ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`])
  return join(folder, 'node_modules', name, 'bin/node')
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) return
  console.error(error?.message ?? `${command} exited with ${status}`)
  process.exit(1)
}
