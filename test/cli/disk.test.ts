import { expect, test } from 'vitest'
import { NEEDED_BYTES } from '../../src/adapters/disk-trouble.js'
import { onOwnDisk } from '../support/own-disk.js'

const RUNBOOK = 'docs/runbooks/disk-full.md'
/** A ledger whose service was killed. */
const MAKE = `"$NODE" "$PROGRAM" serve --data "$DISK/data" --port 0 > "$DISK/out" & pid=$!
until grep -q http "$DISK/out"; do kill -0 $pid || exit 90; sleep 0.05; done
kill -KILL $pid; wait $pid\n`
const FILL = 'dd if=/dev/zero of="$DISK/fill" bs=64k 2> /dev/null\n'
const LOOK = 'ledger doctor --data "$DISK/data" --json; echo "exit $?"\n'

interface Finding {
  readonly code: string
  readonly level: string
  readonly detail: string
}

/** What `doctor --json` found, by code, and its exit code, where its output begins. */
const found = (stdout: string): { readonly exit: string; readonly by: Readonly<Record<string, Finding>> } => {
  const [document = '', exit = ''] = stdout.split('\n')
  const { findings } = JSON.parse(document) as { readonly findings: readonly Finding[] }
  return { exit, by: Object.fromEntries(findings.map((finding) => [finding.code, finding])) }
}

test('a full disk is called one, with what is free and what is needed, and the log can still be verified', async (context) => {
  const script = `${LOOK}ledger verify --data "$DISK/data" > /dev/null && echo verified\nledger serve --data "$DISK/data" --port 0`
  const { code, stdout, stderr } = await onOwnDisk(context, 'size=20m', MAKE + FILL + script)
  const room = `is full: 0 bytes are free, and at least ${NEEDED_BYTES} are needed`
  const { exit, by } = found(stdout)
  expect(exit).toBe('exit 3')
  expect(by['disk.full']).toMatchObject({ level: 'error', detail: expect.stringContaining(room) })
  expect(by['disk.full']?.detail).toContain(RUNBOOK)
  expect(by['log.head']?.level).toBe('fine')
  expect(stdout).toContain('verified')
  expect(stderr).toMatch(/^DATA_UNUSABLE: the disk of /m)
  expect(stderr).toContain(room)
  expect(stderr).toContain(RUNBOOK)
  expect(code).toBe(3)
})

test('with room again the ledger goes on as it was', async (context) => {
  const script = 'rm "$DISK/fill"\nledger token list --data "$DISK/data" --json'
  const { code, stdout } = await onOwnDisk(context, 'size=40m', MAKE + FILL + script)
  expect(code).toBe(0)
  expect((JSON.parse(stdout) as { tokens: object[] }).tokens).toHaveLength(2)
})

test('a ledger is not begun where its largest append would not fit', async (context) => {
  const script = 'ledger serve --data "$DISK/data" --port 0; code=$?; ls "$DISK/data"; exit $code'
  const { code, stdout, stderr } = await onOwnDisk(context, 'size=15m', script)
  expect(stderr).toMatch(
    /^DATA_UNUSABLE: the disk of .* is full: 157\d{5} bytes are free, and at least 16777216 are needed/,
  )
  expect(stdout).not.toContain('ledger.db')
  expect(code).toBe(3)
})

test('a read-only file system is called one, for a ledger and for a place where there is none', async (context) => {
  const script = `mount -o remount,ro "$DISK"\n${LOOK}ledger verify --data "$DISK/data" > /dev/null && echo verified
ledger serve --data "$DISK/new/deep" --port 0; ledger serve --data "$DISK/data" --port 0`
  const { code, stdout, stderr } = await onOwnDisk(context, 'size=40m', MAKE + script)
  const said =
    /DATA_UNUSABLE: the file system of .*\/(\S+) is read-only \((\d+) bytes are free, and at least 16777216 are needed\)/g
  expect([...stderr.matchAll(said)].map(([, name]) => name)).toEqual(['deep', 'data'])
  expect(stderr.split(RUNBOOK)).toHaveLength(3)
  const { exit, by } = found(stdout)
  expect(exit).toBe('exit 3')
  expect(by['disk.read_only']).toMatchObject({ level: 'error', detail: expect.stringContaining(RUNBOOK) })
  expect(stdout).toContain('verified')
  expect(code).toBe(3)
})

test('a disk that takes no more files is not called full of bytes', async (context) => {
  const { code, stderr } = await onOwnDisk(context, 'size=40m,nr_inodes=2', 'ledger serve --data "$DISK/data" --port 0')
  expect(stderr).toMatch(
    /^DATA_UNUSABLE: the disk of .* takes no more, by a quota or for want of inodes \(4\d{7} bytes are free/,
  )
  expect(stderr).toContain(RUNBOOK)
  expect(code).toBe(3)
})
