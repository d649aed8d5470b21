import { join } from 'node:path'
import type { RequestRecord } from '../../../../load/record.ts'
import type { Report } from '../../../../load/report/report.ts'
import type { Settings } from '../../../../load/settings.ts'
import { type LoadResult, startLoad } from '../load.ts'
import { countByPhase, type PhaseCounts } from '../phases.ts'
import type { Check } from './check.ts'
import type { Mark } from './disruptions.ts'
import type { Platform } from './platform.ts'
import type { Pods } from './pods.ts'

/** A pod's `/payload` responses as counted by each side, and how the pod ended, if it did. */
export interface PodCounts {
  readonly name: string
  /** By X-Served-By of the responses. */
  readonly client: number
  /** By the samples that Prometheus scraped. */
  readonly prometheus: number
}

/** A pod that was stopped under load. */
export interface PodStop {
  readonly name: string
  /** Null: not observed. */
  readonly exitCode: number | null
  readonly restarts: number
}

/** One load, with everything that happened to the cluster meanwhile. */
export interface ClusterRun {
  readonly name: string
  readonly connection: Settings['connection']
  /** Requests per second; null: as fast as possible. */
  readonly ratePerSecond: number | null
  readonly phases: readonly PhaseCounts[]
  readonly pods: readonly PodCounts[]
  readonly stops: readonly PodStop[]
  readonly checks: readonly Check[]
  readonly report: Pick<Report, 'summary' | 'times' | 'reasons' | 'agreement' | 'seconds' | 'notAnswered'>
  /** Whether the scenario ended before the load. */
  readonly inTime: boolean
}

/** The size of a load, and how it uses connections. */
export interface Load {
  readonly name: string
  readonly profile: 'load' | 'rollout' | 'spike'
  readonly connection: Settings['connection']
  /** For `load`. */
  readonly requests?: number
  /** For the others. */
  readonly rate?: number
  readonly users?: number
  readonly seconds?: number
}

/**
 * Runs a load against the load balancer, runs `scenario` meanwhile, and counts.
 *
 * @param directory the load's report goes to a subdirectory with its name
 */
export async function runUnderLoad(
  platform: Pick<Platform, 'deployments' | 'pods' | 'url' | 'prometheusUrl'>,
  load: Load,
  directory: string,
  scenario: (mark: Mark, endsAt: number) => Promise<readonly Check[]> = async () => [],
): Promise<ClusterRun> {
  const { deployments, pods, url, prometheusUrl } = platform
  const { name, profile, connection, requests, rate, users, seconds = 0 } = load
  const goneBefore = new Set(pods.all().filter(({ gone }) => gone))
  const running = await startLoad(profile, join(directory, name), {
    SERVICE_URL: url,
    PROMETHEUS_URL: prometheusUrl,
    CONNECTION: connection,
    ...(requests !== undefined && { N_REQUESTS: String(requests) }),
    ...(rate !== undefined && { RATE: String(rate), DURATION: `${seconds}s` }),
    ...(users !== undefined && { CONCURRENCY: String(users) }),
  })
  await running.begun
  const checks = await scenario(running.mark, performance.now() + seconds * 1_000)
  const inTime = profile === 'load' || !running.isOver()
  const result = await running.end()
  const stops = deployments
    .flatMap((each) => pods.all(each))
    .filter((pod) => pod.gone && pod.everReady && !goneBefore.has(pod))
  return {
    name,
    connection,
    ratePerSecond: profile === 'rollout' ? (rate ?? null) : null,
    phases: countByPhase(result.records, result.events, announcedBy(pods)),
    pods: podCounts(result),
    stops: stops.map(({ name: pod, exitCode, restarts }) => ({ name: pod, exitCode, restarts })),
    checks,
    report: pick(result.report),
    inTime,
  }
}

/** Whether the pod that responded was draining by then, when every response has `Connection: close`. */
function announcedBy(pods: Pods): (last: RequestRecord) => boolean {
  return ({ instance, endedMs }) => {
    const drainingMs = pods.byName(instance)?.drainingMs ?? Number.POSITIVE_INFINITY
    return endedMs >= drainingMs
  }
}

function podCounts({ report }: LoadResult): PodCounts[] {
  return report.instances.map(({ name, client, service }) => ({
    name,
    client: client?.answers ?? 0,
    prometheus: service?.requests ?? 0,
  }))
}

function pick({ summary, times, reasons, agreement, seconds, notAnswered }: Report): ClusterRun['report'] {
  return { summary, times, reasons, agreement, seconds, notAnswered }
}
