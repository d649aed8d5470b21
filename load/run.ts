/**
 * Runs a load profile and writes a report: `bun load/run.ts [load|smoke|stress|spike|soak|rollout|large]`.
 *
 * k6 sends and counts the requests. This program adds what k6 lacks: the service's own count before and after the run,
 * a report from both sides, and specific exit codes.
 *
 * Exit codes: 0 nothing lost and no threshold crossed; 1 the service is unreachable or the run failed to start or
 * finish; 2 a request lost, more than REFUSED_MAX refused, inconsistent counts, or a threshold crossed.
 */

import { createReadStream } from 'node:fs'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type LoadEvent, parseEvents } from './events.ts'
import { findK6, runK6 } from './k6.ts'
import { countWithScrapes } from './metrics-scrape.ts'
import { defaultsOf, optionsOf, type ProfileName, profileNames, usersOf } from './profiles.ts'
import { countWithPrometheus } from './prometheus.ts'
import { parseRecord, type RequestRecord, recordHeader } from './record.ts'
import { renderHtml } from './report/html.ts'
import { renderJUnit } from './report/junit.ts'
import { buildReport } from './report/report.ts'
import { tallyRecords } from './report/tally.ts'
import { renderText } from './report/text.ts'
import type { Counting } from './service-side.ts'
import { parseSettings, type Settings, SettingsError } from './settings.ts'
import type { Summary } from './summary.ts'

/** The run cannot start or finish; the message is for the user. */
class RunError extends Error {}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof RunError)) throw error
  console.error(error.message)
  return 1
})

async function main(): Promise<number> {
  const profile = readProfile(process.argv[2] ?? 'load')
  const settings = readSettings(profile)
  const eventsFile = process.env.EVENTS_FILE
  const directory = resolve(process.env.REPORT_DIR || defaultDirectory(profile))
  const files = {
    records: join(directory, 'requests.csv'),
    summary: join(directory, 'k6-summary.json'),
    log: join(directory, 'k6.log'),
  }

  const k6 = findK6(process.env, join(import.meta.dir, '..'))
  if (k6 === null) {
    throw new RunError(
      'k6 not found: run GOBIN=$PWD/.tools/bin go install go.k6.io/k6@v1.8.1, or set K6=/path/to/k6',
    )
  }
  await requireHealthyService(settings)

  await mkdir(directory, { recursive: true })
  await rm(files.summary, { force: true })
  await Bun.write(files.records, `${recordHeader}\n`)

  const versionBefore = await readVersion(settings)
  const counting = await startCounting(settings)

  console.log('Sending load...')
  const failure = await runK6({
    k6,
    script: join(import.meta.dir, `${profile}.ts`),
    env: { ...process.env, LOAD_SUMMARY: files.summary, LOAD_RUN_ID: Date.now().toString(36) },
    recordsFile: files.records,
    logFile: files.log,
    debug: settings.debug,
  })
  const summaryFile = Bun.file(files.summary)
  if (!(await summaryFile.exists())) {
    const log = settings.debug
      ? ''
      : (await Bun.file(files.log).text()).trim().split('\n').slice(-10).join('\n')
    throw new RunError(`${failure ?? 'k6 wrote no summary'}\n${log}`)
  }
  const summary: Summary = await summaryFile.json()
  const events = await readEvents(eventsFile)
  const tally = await tallyRecords(readRecords(files.records), events)

  const report = buildReport({
    profile,
    settings,
    concurrency: usersOf(optionsOf(profile, settings).scenarios),
    summary,
    tally,
    service: await counting.end([...tally.instances.keys()]),
    versions: [...new Set([versionBefore, await readVersion(settings)])].filter((version) => version !== ''),
    events,
  })
  await Promise.all([
    Bun.write(join(directory, 'report.json'), `${JSON.stringify(report, null, 2)}\n`),
    Bun.write(join(directory, 'report.html'), renderHtml(report)),
    Bun.write(join(directory, 'junit.xml'), renderJUnit(report)),
  ])
  console.log(renderText(report))
  console.log(`Report: ${join(directory, 'report.html')}`)
  if (!process.env.REPORT_DIR) await linkLatest(directory)
  if (failure !== null) {
    console.error(`${failure}: the run is incomplete`)
    return report.exitCode === 0 ? 1 : report.exitCode
  }
  return report.exitCode
}

function readProfile(name: string): ProfileName {
  const profile = profileNames.find((each) => each === name)
  if (profile === undefined)
    throw new RunError(`unknown profile ${name}: must be one of ${profileNames.join(', ')}`)
  return profile
}

function readSettings(profile: ProfileName): Settings {
  try {
    return parseSettings(process.env, defaultsOf(profile))
  } catch (error) {
    if (error instanceof SettingsError) throw new RunError(error.message)
    throw error
  }
}

async function requireHealthyService(settings: Settings): Promise<void> {
  const { healthUrl, connectTimeoutMs } = settings
  const response = await fetch(healthUrl, {
    redirect: 'manual',
    signal: AbortSignal.timeout(connectTimeoutMs),
  }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new RunError(`Service unreachable: ${healthUrl}: ${why}`)
  })
  if (response.status !== 200)
    throw new RunError(`Service not healthy: ${healthUrl} returned ${response.status}`)
}

/** One folder per run, such as `reports/load/2026-11-29T17-11-18Z-soak`, keeps earlier runs for comparison. */
function defaultDirectory(profile: ProfileName): string {
  const startedAt = new Date().toISOString().replace(/\.\d+/, '').replaceAll(':', '-')
  return join('reports/load', `${startedAt}-${profile}`)
}

/** Points `reports/load/latest` at the last run. */
async function linkLatest(directory: string): Promise<void> {
  const link = join(dirname(directory), 'latest')
  await rm(link, { force: true, recursive: true })
  await symlink(basename(directory), link)
}

/** The service's `version (revision)`; empty if it does not report a version. */
async function readVersion({ healthUrl, connectTimeoutMs }: Settings): Promise<string> {
  const url = healthUrl.replace(/[^/]*$/, 'version')
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(connectTimeoutMs) })
    const { version, revision } = (await response.json()) as { version?: unknown; revision?: unknown }
    if (typeof version !== 'string') return ''
    return typeof revision === 'string' ? `${version} (${revision})` : version
  } catch {
    // Another service, or one that has stopped: the report omits the version.
    return ''
  }
}

async function startCounting(settings: Settings): Promise<Counting> {
  const { payloadUrl, metricsPrefix } = settings
  if (settings.prometheusUrl !== null) {
    return countWithPrometheus({
      prometheusUrl: settings.prometheusUrl,
      payloadUrl,
      metricsPrefix,
      scrapeWaitMs: settings.scrapeWaitMs,
    })
  }
  return countWithScrapes({
    metricsUrls: settings.metricsUrls,
    guessed: settings.metricsUrlsGuessed,
    payloadUrl,
    metricsPrefix,
    timeoutMs: settings.connectTimeoutMs,
  })
}

async function readEvents(file: string | undefined): Promise<LoadEvent[]> {
  if (!file) return []
  try {
    return parseEvents(await Bun.file(file).text())
  } catch (error) {
    // The run has finished. A bad events file must not discard its report.
    console.error(`EVENTS_FILE=${file}: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}

async function* readRecords(file: string): AsyncGenerator<RequestRecord> {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const record = parseRecord(line)
    if (record !== null) yield record
  }
}
