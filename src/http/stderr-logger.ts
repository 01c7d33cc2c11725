import type { LoggerService } from '@nestjs/common'

/** The process's own log: one JSON object a line, on stderr. Stdout belongs to what a command prints. */
export class StderrLogger implements LoggerService {
  constructor(private readonly write: (line: string) => void = (line) => void process.stderr.write(line)) {}

  /** What the framework says of its own start is of no use to anybody who runs this. */
  log(): void {}

  warn(message: unknown, context?: string): void {
    this.line('warn', message, context)
  }

  error(message: unknown, ...rest: readonly unknown[]): void {
    this.line('error', message, rest.at(-1))
  }

  fatal(message: unknown, context?: string): void {
    this.line('fatal', message, context)
  }

  private line(level: string, message: unknown, context: unknown): void {
    const text = message instanceof Error ? (message.stack ?? message.message) : String(message)
    this.write(`${JSON.stringify({ at: new Date().toISOString(), level, context, message: text })}\n`)
  }
}
