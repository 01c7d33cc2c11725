import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { blobOf, SqliteFile } from '../../adapters/sqlite-file.js'
import type { JsonObject } from '../../ledger/record.js'
import type { Stage } from './stage.js'
import { check } from './story.js'
import { run } from './verb.js'

/** What is looked for in the record of google-mobility: the charge, of which one digit is changed. */
const CHARGE = '"cost":{"delta":"0","eps":"2640000000000000"}'

/** Stops the service and verifies its ledger, and a copy of it in which one byte is another. */
export const playTamper = async (stage: Stage): Promise<JsonObject> => {
  await stage.stop()
  const copy = `${stage.data}-copy`
  cpSync(stage.data, copy, { recursive: true })
  const seq = changeOneByte(join(copy, 'ledger.db'))
  const [original, changed] = await Promise.all([run('verify', '--data', stage.data), run('verify', '--data', copy)])
  check(original.exitCode === 0 && original.document['ok'] === true, () => `verify: ${JSON.stringify(original)}`)
  const { document } = changed
  check(
    changed.exitCode === 20 && document['seq'] === seq,
    () => `verify was to name record ${seq}: ${JSON.stringify(changed)}`,
  )
  const { records } = original.document
  stage.story.say(`  verify of the ledger: ${records} records, every sum, cap and cost derived again: ok (exit 0)`)
  stage.story.say(`  verify of the copy: ${document['code']} at record ${seq} (exit 20)`)
  return { tamper: { original: original.document, changed: document } }
}

/** ε 2.64 becomes 1.64, as somebody with access to the file might want it. */
const changeOneByte = (path: string): number => {
  const file = new SqliteFile(path, 0)
  try {
    for (const row of file.prepare('SELECT number, bytes FROM blocks').all([])) {
      const bytes = Buffer.from(blobOf(row['bytes']))
      const place = bytes.indexOf(CHARGE)
      if (place === -1) continue
      const line = bytes.toString('utf8', bytes.lastIndexOf('\n', place) + 1, bytes.indexOf('\n', place))
      bytes.write('1', place + CHARGE.indexOf('2640'))
      file.prepare('UPDATE blocks SET bytes = ? WHERE number = ?').run([bytes, Number(row['number'])])
      return Number((JSON.parse(line) as JsonObject)['seq'])
    }
    throw new RangeError(`${path} has no record with ${CHARGE}`)
  } finally {
    file.close()
  }
}
