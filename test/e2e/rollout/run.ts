import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Size } from '../../../load/payloads.ts'
import type { Report } from '../../../load/report/report.ts'
import type { Settings } from '../../../load/settings.ts'
import { guard } from './guarded.ts'
import { type LoadResult, startLoad } from './load.ts'
import { countByPhase, type PhaseCounts } from './phases.ts'
import { type Platform, startPlatform } from './platform.ts'
import type { Mark } from './scenario.ts'
import type { Program } from './settings.ts'

/** An instance's `/payload` requests as counted by each of three witnesses. */
export interface InstanceCounts {
  readonly name: string
  /** By X-Served-By of the answers. */
  readonly client: number
  /** By the samples that Prometheus scraped. */
  readonly prometheus: number
  /** By the instance's own access log. */
  readonly log: number
  /** How it ended. */
  readonly exitCode: number
  readonly stopSeconds: number
}

/** One load with everything that happened to the platform meanwhile. */
export interface Run {
  readonly name: string
  readonly connection: Settings['connection']
  readonly size: Size
  readonly ratePerSecond: number
  /** Responses per second of the platform at full load; null: not measured. */
  readonly capacityPerSecond: number | null
  readonly phases: readonly PhaseCounts[]
  readonly instances: readonly InstanceCounts[]
  readonly report: Pick<Report, 'summary' | 'times' | 'reasons' | 'agreement' | 'seconds' | 'checks'>
  /** Whether the scenario ended before the load. */
  readonly inTime: boolean
}

/** Concurrent users for measuring the capacity: enough to keep two cores busy. */
const capacityUsers = 16
const capacityRequests: Record<Size, number> = { small: 8_000, medium: 800, '1mb': 150, '10mb': 20 }

/**
 * Starts a platform, runs a load against it, runs `scenario` meanwhile, and counts.
 *
 * @param reportDirectory for the load's report
 */
export async function runUnderLoad(options: {
  name: string
  program: Program
  guarded: boolean
  balancerRetries: number
  connection: Settings['connection']
  size: Size
  /** Requests per second; null: `loadShare` of the measured capacity. */
  rate: number | null
  loadShare: number
  seconds: number
  reportDirectory: string
  scenario: (platform: Platform, mark: Mark) => Promise<void>
}): Promise<Run> {
  const { name, connection, size, reportDirectory } = options
  const directory = await mkdtemp(join(tmpdir(), 'rollout-'))
  const guarded = options.guarded ? await guard(directory) : undefined
  const platform = await startPlatform({ ...options, directory, guarded })
  const target = {
    SERVICE_URL: platform.url,
    CONNECTION: connection,
    SIZE: size,
    ...(guarded !== undefined && { API_KEY: guarded.apiKey }),
  }

  const capacity =
    options.rate === null ? await measureCapacity(target, size, join(directory, 'capacity')) : null
  const before = await loggedBy(platform)
  const ratePerSecond = options.rate ?? Math.max(1, Math.floor((capacity ?? 0) * options.loadShare))
  const load = await startLoad('rollout', reportDirectory, {
    ...target,
    PROMETHEUS_URL: platform.prometheusUrl,
    RATE: String(ratePerSecond),
    DURATION: `${options.seconds}s`,
  })
  await load.begun
  await options.scenario(platform, load.mark)
  const inTime = !load.isOver()
  const result = await load.end()
  await platform.stop()

  const run: Run = {
    name,
    connection,
    size,
    ratePerSecond,
    capacityPerSecond: capacity,
    phases: countByPhase(result.records, result.events),
    instances: await countByInstance(platform, result, before),
    report: pick(result.report),
    inTime,
  }
  await rm(directory, { recursive: true })
  return run
}

/** Responses per second for `capacityUsers` that send as fast as possible. */
async function measureCapacity(
  target: Readonly<Record<string, string>>,
  size: Size,
  directory: string,
): Promise<number> {
  const load = await startLoad('load', directory, {
    ...target,
    N_REQUESTS: String(capacityRequests[size]),
    CONCURRENCY: String(capacityUsers),
  })
  const { report } = await load.end()
  return report.requestsPerSecond
}

/** The requests in the access logs from measuring the capacity. */
async function loggedBy(platform: Platform): Promise<Map<string, number>> {
  // The log is written in batches, so the latest lines arrive a moment later.
  await Bun.sleep(500)
  return new Map(
    await Promise.all(platform.instances.map(async (each) => [each.name, await each.logged()] as const)),
  )
}

async function countByInstance(
  platform: Platform,
  { report }: LoadResult,
  before: ReadonlyMap<string, number>,
): Promise<InstanceCounts[]> {
  const rows = new Map(report.instances.map((row) => [row.name, row]))
  return Promise.all(
    platform.instances.map(async (instance) => {
      const end = platform.ended.find((each) => each.instance === instance)
      const row = rows.get(instance.name)
      return {
        name: instance.name,
        client: row?.client?.answers ?? 0,
        prometheus: row?.service?.requests ?? 0,
        log: (await instance.logged()) - (before.get(instance.name) ?? 0),
        exitCode: end?.exitCode ?? -1,
        stopSeconds: end?.seconds ?? 0,
      }
    }),
  )
}

function pick({ summary, times, reasons, agreement, seconds, checks }: Report): Run['report'] {
  return { summary, times, reasons, agreement, seconds, checks }
}
