import { join } from 'node:path'
import { until } from '../../../support/until.ts'
import { sumOf } from '../phases.ts'
import {
  applyRelease,
  type GateRun,
  gateRuns,
  hasController,
  type Release,
  type RolloutStatus,
  releaseDecided,
  releaseEnded,
  rolloutStatus,
  saveJobLogs,
} from './canary.ts'
import { type Check, check } from './check.ts'
import { versionsOf } from './endpoints.ts'
import type { Platform } from './platform.ts'
import { type ClusterRun, runUnderLoad } from './run.ts'
import type { ClusterSettings } from './settings.ts'

/** Longer than a good release takes. */
const releaseTimeoutMs = 360_000
/** Of the load: less than the other parts have, because k6 runs in the cluster as well. */
const rate = 50
const users = 12

/** A release that must be stopped, and the gates that may stop it. */
interface BadRelease {
  readonly name: string
  readonly release: Omit<Release, 'image'>
  readonly gates: readonly string[]
}

const faulty = (faults: object): Omit<Release, 'image'> => ({
  container: { env: [{ name: 'CONFIG_FILE', value: '/etc/careless/faults.json' }] },
  files: { 'faults.json': JSON.stringify({ faults }) },
})

const badReleases: readonly BadRelease[] = [
  {
    name: 'errors',
    release: faulty({ error_rate: 0.05, error_status: 500 }),
    // With one error in twenty requests, the smoke test may meet one first.
    gates: ['errors', 'lost-requests'],
  },
  { name: 'slow', release: faulty({ delay_ms: 700 }), gates: ['slow'] },
  {
    name: 'drops requests at shutdown',
    // Ends at SIGTERM with all work in progress, like a program without a handler.
    release: {
      container: { args: ['--preload', '/etc/careless/exit.js', '/app/main.js'] },
      files: { 'exit.js': "process.on('SIGTERM', () => process.exit(0))" },
    },
    gates: ['lost-requests'],
  },
]

/** How long the load of a good and of a bad release lasts, in s: longer than the release. */
const goodSeconds = 240
const badSeconds = 150

/**
 * Releases by Argo Rollouts under load: the Deployment's pods become the Rollout's, a good release goes through, and each
 * bad one is stopped. Without a controller in the cluster nothing is done, and the report says so.
 */
export async function releaseCanaries(
  platform: Platform,
  settings: ClusterSettings,
  directory: string,
): Promise<{ runs: ClusterRun[]; checks: Check[] }> {
  const { namespace } = platform
  if (!(await hasController(namespace))) {
    const reason = 'skipped: no Argo Rollouts in this cluster (make argo-rollouts-install)'
    console.log(`argo ${reason}`)
    return { runs: [], checks: [check('progressive delivery', true, reason)] }
  }
  let releases = 0
  const apply = (release: Release): Promise<void> =>
    applyRelease(namespace, settings.overlay, join(directory, `release-${++releases}`), release)

  const runs: ClusterRun[] = []
  const good = { image: settings.nextImage }
  await platform.apply({ image: settings.image })
  runs.push(await releaseGood(platform, directory, apply, { image: settings.image }, good))
  await saveJobLogs(namespace, join(directory, 'gates'))
  for (const bad of badReleases) {
    console.log(`argo: ${bad.name} ...`)
    runs.push(await releaseBad(platform, directory, apply, good, bad))
    await saveJobLogs(namespace, join(directory, 'gates'))
  }
  await namespace.kubectl('delete', 'rollout', 'api')
  return { runs, checks: [] }
}

type Apply = (release: Release) => Promise<void>

/** The Deployment's pods become the Rollout's; then another version is released. */
async function releaseGood(
  platform: Platform,
  directory: string,
  apply: Apply,
  before: Release,
  good: Release,
): Promise<ClusterRun> {
  const { namespace, pods, url } = platform
  const load = { name: 'good release', profile: 'rollout', connection: 'mixed', rate, users } as const
  const run = await runUnderLoad(platform, { ...load, seconds: goodSeconds }, directory, async (mark) => {
    await mark('Deployment to Rollout')
    await apply(before)
    const migrated = await releaseEnded(namespace, releaseTimeoutMs)
    await platform.settled()
    const versions = await versionsOf(url)
    const checks = [
      check(
        'the pods of the Deployment are replaced by those of the Rollout',
        pods.live('api').length === migrated.replicas && pods.live('api').every(({ ready }) => ready),
        `${pods.live('api').length} pods, ${migrated.replicas} of the Rollout`,
      ),
    ]
    await mark('good release')
    await apply(good)
    const ended = await releaseEnded(namespace, releaseTimeoutMs)
    await platform.settled()
    await mark('afterwards')
    const after = await versionsOf(url)
    const gates = await gateRuns(namespace, ended.currentPodHash)
    const passed = gates.filter(({ phase }) => phase === 'Successful').length
    return [
      ...checks,
      check(
        'a good release passes every gate and is promoted',
        ended.phase === 'Healthy' && !ended.abort && passed === gates.length && gates.length >= 5,
        `${ended.phase}, ${passed} of ${gates.length} gates passed: ${describeGates(gates)}`,
      ),
      check(
        'afterwards every instance is of the new version',
        after.size === 1 && versions.isDisjointFrom(after),
        `${[...versions].join(', ')}, then ${[...after].join(', ')}`,
      ),
    ]
  })
  const { lost, refused, sent } = sumOf(run.phases, run.name)
  const checks = [
    ...run.checks,
    check(
      'a good release loses nothing',
      lost === 0 && refused === 0,
      `${lost} lost, ${refused} refused, of ${sent}`,
    ),
  ]
  return { ...run, checks }
}

/** A release that must be stopped; then the one before is applied again, as a revert does. */
async function releaseBad(
  platform: Platform,
  directory: string,
  apply: Apply,
  good: Release,
  { name, release, gates: mayStop }: BadRelease,
): Promise<ClusterRun> {
  const { namespace, pods, url } = platform
  const stable = (await rolloutStatus(namespace)).stableRS
  const load = { name, profile: 'rollout', connection: 'mixed', rate, users } as const
  const run = await runUnderLoad(platform, { ...load, seconds: badSeconds }, directory, async (mark) => {
    await mark(`release: ${name}`)
    await apply({ ...good, ...release })
    const seen = await releaseSeen(namespace, stable)
    await releaseDecided(namespace, releaseTimeoutMs)
    await mark('taken back')
    const ended = await releaseEnded(namespace, releaseTimeoutMs)
    await platform.settled()
    await mark('stable again')
    const gates = await gateRuns(namespace, seen.currentPodHash)
    const culprits = gates.flatMap(({ metrics }) =>
      metrics.filter(({ phase }) => phase === 'Failed').map((metric) => metric.name),
    )
    const live = pods.live('api')
    const checks = [
      check(
        `a release with this fault is stopped: ${name}`,
        ended.abort && ended.stableRS === stable && culprits.some((culprit) => mayStop.includes(culprit)),
        `${ended.phase}, ${ended.message}; ${describeGates(gates)}`,
      ),
      check(
        `afterwards only pods of the version before serve: ${name}`,
        live.length === ended.replicas &&
          live.every((pod) => pod.ready && pod.name.startsWith(`api-${stable}-`)),
        `${live.map((pod) => pod.name).join(', ')}; ${(await versionsOf(url)).size} version`,
      ),
    ]
    await apply(good)
    const reverted = await releaseEnded(namespace, releaseTimeoutMs)
    checks.push(
      check(
        `the revert needs no new pod: ${name}`,
        reverted.phase === 'Healthy' && reverted.stableRS === stable,
        `${reverted.phase}, ${reverted.stableRS === stable ? 'the same' : 'other'} pods`,
      ),
    )
    return checks
  })
  const { lost, refused, sent } = sumOf(
    run.phases.filter(({ phase }) => phase === 'steady' || phase === 'stable again'),
    run.name,
  )
  const all = sumOf(run.phases, run.name)
  return {
    ...run,
    checks: [
      ...run.checks,
      check(
        `nothing is lost before the release and after it: ${name}`,
        lost === 0 && refused === 0,
        `${lost} lost, ${refused} refused, of ${sent}; in all ${all.lost} lost of ${all.sent}, the release's own included`,
      ),
    ],
  }
}

/** Waits until the controller has a revision besides the stable one. */
async function releaseSeen(namespace: Platform['namespace'], stable: string): Promise<RolloutStatus> {
  return until(
    async () => {
      const status = await rolloutStatus(namespace)
      return status.currentPodHash !== stable && !status.abort ? status : undefined
    },
    { what: 'the controller to see the release', timeoutMs: 60_000, intervalMs: 200 },
  )
}

/** The gates of a release, each with its outcome and the measurements of what did not pass. */
function describeGates(gates: readonly GateRun[]): string {
  return gates
    .flatMap(({ metrics }) =>
      metrics.map(({ name, phase, values }) =>
        phase === 'Failed' ? `${name} ${phase} (${values.join(' ')})` : `${name} ${phase}`,
      ),
    )
    .join(', ')
}
