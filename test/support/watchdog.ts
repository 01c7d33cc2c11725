import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads process numbers, one a line. When its input ends, for whatever reason, the last one and the processes that it started
 * are killed and the folder is deleted. 0 stands for none.
 */
const SCRIPT = `
pid=0
while read -r next; do pid=$next; done
if [ "$pid" != 0 ]; then
  kill -STOP "$pid"
  kill -KILL $(cat "/proc/$pid/task/$pid/children") "$pid"
fi
rm -rf -- "$1"`

/**
 * Cleans up after one server, even when the process that started it is killed: then the pipe between the two closes, which
 * nothing can prevent or forget.
 */
export class Watchdog {
  private readonly child: ChildProcess
  private readonly exited: Promise<void>

  constructor(folder: string) {
    // A group of its own, so that Ctrl-C reaches the tests and not their watchdog.
    this.child = spawn('/bin/sh', ['-c', SCRIPT, 'watchdog', folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.exited = new Promise((resolve) => this.child.once('exit', () => resolve()))
  }

  /** The process to end with the tests' own; undefined once there is none. */
  watch(pid: number | undefined): void {
    this.child.stdin?.write(`${pid ?? 0}\n`)
  }

  /** Deletes the folder, and ends. */
  async dismiss(): Promise<void> {
    this.child.stdin?.end()
    await this.exited
  }
}
