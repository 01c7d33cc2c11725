import { MissingPart } from '../support/missing-part.js'
import type { Report } from './report.js'

/** Starts a server for some rows; where it cannot be had they are left out and say why, unless all parts are required. */
export const unlessMissing = async <Server>(
  rows: string,
  report: Report,
  start: () => Promise<Server>,
): Promise<Server | undefined> => {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof MissingPart) || process.env['REQUIRE_ALL'] === '1') throw error
    report.leaveOut(rows, error.message)
    return undefined
  }
}
