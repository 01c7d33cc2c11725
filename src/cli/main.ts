#!/usr/bin/env node
import { execute } from './execute.js'
import type { Io } from './io.js'

/** Whoever reads our output may have had enough of it: that is no error. */
const leaveQuietly = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
}

process.stdout.on('error', leaveQuietly)
process.stderr.on('error', leaveQuietly)
const io: Io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr }
process.exitCode = await execute(process.argv.slice(2), io)
