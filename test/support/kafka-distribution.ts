import { execFile, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { MissingPart } from './missing-part.js'

/** A broker's jars and a Java that runs them. */
export interface KafkaDistribution {
  readonly version: string
  readonly java: string
  /** What `java -cp` is given. */
  readonly classpath: string
}

const POM = join(process.cwd(), 'test/services/kafka/pom.xml')
const JAVA_AT_LEAST = 17
const PROGRESS_EVERY_S = 5

/** Finds the pinned broker in `.cache`, or fetches it there with Maven. Throws `MissingPart` where that cannot be. */
export const kafkaDistribution = async (): Promise<KafkaDistribution> => {
  const version = pinnedVersion()
  const java = await findJava()
  const home = join(process.cwd(), `.cache/kafka-${version}`)
  if (!isWhole(home, version)) await fetchInto(home, version)
  return { version, java, classpath: join(home, '*') }
}

const pinnedVersion = (): string => {
  const version = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([\w.-]+)<\/version>/.exec(
    readFileSync(POM, 'utf8'),
  )
  if (version?.[1] === undefined) throw new Error(`${POM} does not name the version of kafka_2.13`)
  return version[1]
}

/** The folder has the broker and was made from this very pom. */
const isWhole = (home: string, version: string): boolean =>
  existsSync(join(home, `kafka_2.13-${version}.jar`)) &&
  existsSync(join(home, 'pom.xml')) &&
  readFileSync(join(home, 'pom.xml')).equals(readFileSync(POM))

const findJava = async (): Promise<string> => {
  const home = process.env['JAVA_HOME']
  const java = home ? join(home, 'bin/java') : 'java'
  const said = await promisify(execFile)(java, ['-version']).catch(({ message }: Error) => ({ stderr: message }))
  const major = Number(/version "(\d+)/.exec(said.stderr)?.[1])
  if (major >= JAVA_AT_LEAST) return java
  throw new MissingPart(`Kafka needs Java ${JAVA_AT_LEAST} or newer; ${java} says: ${said.stderr.split('\n')[0]}`)
}

/** Half a distribution never passes for a whole one: it gets its name last. Of two that fetch at the same time, one is kept. */
const fetchInto = async (home: string, version: string): Promise<void> => {
  const draft = `${home}.${process.pid}.draft`
  const replaced = `${draft}.old`
  mkdirSync(draft, { recursive: true })
  try {
    await copyDependencies(draft, version)
    copyFileSync(POM, join(draft, 'pom.xml'))
    if (!isWhole(draft, version)) throw new MissingPart(`Maven left no kafka_2.13-${version}.jar in ${draft}`)
    if (existsSync(home) && !isWhole(home, version)) renameSync(home, replaced)
    renameSync(draft, home)
  } catch (error) {
    if (!isWhole(home, version)) throw error
  } finally {
    for (const left of [draft, replaced]) rmSync(left, { recursive: true, force: true })
  }
}

const copyDependencies = async (folder: string, version: string): Promise<void> => {
  // -C: a jar whose checksum is not the published one ends the build.
  const args = ['--batch-mode', '-C', '--file', POM, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`]
  say(`fetching Apache Kafka ${version} with Maven, once (some 45 MB, into .cache)`)
  const maven = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  let downloaded = 0
  for (const output of [maven.stdout, maven.stderr]) {
    createInterface({ input: output }).on('line', (line) => {
      if (/Downloaded from .*\.jar/.test(line)) downloaded++
      if (/ERROR/.test(line)) lines.push(line)
    })
  }
  let seconds = 0
  const progress = setInterval(() => {
    seconds += PROGRESS_EVERY_S
    say(`fetching Apache Kafka: ${downloaded} jars downloaded in ${seconds} s`)
  }, PROGRESS_EVERY_S * 1_000)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      maven.once('error', reject)
      maven.once('close', resolve)
    })
    if (code !== 0) throw new Error(lines[0] ?? `mvn ended with ${code}`)
  } catch (error) {
    throw new MissingPart(`Apache Kafka ${version} could not be fetched with Maven: ${(error as Error).message}`)
  } finally {
    clearInterval(progress)
  }
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}
