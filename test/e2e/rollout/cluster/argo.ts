import { join } from 'node:path'
import { until } from '../../../support/until.ts'
import { sumOf } from '../phases.ts'
import {
  type AnalysisRun,
  analysisRuns,
  applyRelease,
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
import type { Clients, Variant } from './variant.ts'

/** Longer than a release takes, also on a busy machine. */
const releaseTimeoutMs = 480_000
/** Of the load: less than the other parts have, because k6 runs in the cluster as well. */
const rate = 50
const users = 12

/** A release that must be stopped, and the measurements that may stop it. */
interface BadRelease {
  readonly name: string
  readonly release: Omit<Release, 'image'>
  readonly metrics: readonly string[]
  /** How long the load lasts, in s: longer than the release and its return. */
  readonly seconds: number
}

const faulty = (faults: object): Omit<Release, 'image'> => ({
  container: { env: [{ name: 'CONFIG_FILE', value: '/etc/careless/faults.json' }] },
  files: { 'faults.json': JSON.stringify({ faults }) },
})

const badReleases: readonly BadRelease[] = [
  {
    name: 'drops requests at shutdown',
    // Ends at SIGTERM with the requests in progress, as a program without a handler does.
    release: {
      container: { args: ['--preload', '/etc/careless/exit.js', '/app/main.js'] },
      files: { 'exit.js': "process.on('SIGTERM', () => process.exit(0))" },
    },
    metrics: ['lost-requests'],
    seconds: 150,
  },
  {
    name: 'errors',
    release: faulty({ error_rate: 0.05, error_status: 500 }),
    // With one error in twenty requests, the smoke test may meet one first.
    metrics: ['errors', 'lost-requests'],
    seconds: 110,
  },
  // Decided by users' requests after the stop check: without load there is no data, and the release only pauses.
  { name: 'slow', release: faulty({ delay_ms: 700 }), metrics: ['slow'], seconds: 270 },
]

/** How long the load lasts in which the pods migrate and a good version is released, in s. */
const goodSeconds = 420

/** What every release of this part needs. */
interface Test {
  readonly platform: Platform
  readonly variant: Variant
  readonly clients: Clients
  readonly directory: string
  /** Applies a release; the controller then decides. */
  apply(release: Release): Promise<void>
}

/**
 * Releases by Argo Rollouts under load: the Deployment's pods become the Rollout's, a good release goes through, and each
 * bad one is stopped. In a cluster without what that needs nothing is done, and the report says so.
 */
export async function releaseCanaries(
  platform: Platform,
  settings: ClusterSettings,
  directory: string,
  variant: Variant,
): Promise<{ runs: ClusterRun[]; checks: Check[] }> {
  const { namespace } = platform
  const missing = (await hasController(namespace))
    ? await variant.missing()
    : 'no Argo Rollouts in this cluster (make argo-rollouts-install)'
  if (missing !== null) {
    console.log(`${variant.name} skipped: ${missing}`)
    return {
      runs: [],
      checks: [check(`progressive delivery (${variant.name})`, true, `skipped: ${missing}`)],
    }
  }
  let releases = 0
  const apply = (release: Release): Promise<void> =>
    applyRelease(platform, settings, variant, join(directory, `release-${++releases}`), release)

  const runs: ClusterRun[] = []
  // A part that cannot be completed must not lose what was seen.
  const save = async (): Promise<void> => {
    await saveJobLogs(namespace, join(directory, 'analyses'))
    await Bun.write(join(directory, 'releases.json'), `${JSON.stringify(runs, null, 2)}\n`)
  }
  const good = { image: settings.nextImage }
  await platform.apply({ image: settings.image })
  const clients = await variant.open(settings, directory)
  const test: Test = { platform: { ...platform, url: clients.url }, variant, clients, directory, apply }
  try {
    runs.push(await releaseGood(test, { image: settings.image }, good))
    await save()
    for (const bad of badReleases) {
      console.log(`${variant.name}: ${bad.name} ...`)
      runs.push(await releaseBad(test, good, bad))
      await save()
    }
  } finally {
    clients.close()
  }
  // Without the Rollout the controller frees these Services for the pods of a Deployment, but another part may be quicker.
  await namespace.kubectl('delete', 'rollout/api', 'service/api-canary', 'service/api-stable')
  return { runs, checks: [] }
}

/** The Deployment's pods become the Rollout's; then another version is released. */
async function releaseGood(test: Test, before: Release, good: Release): Promise<ClusterRun> {
  const { platform, directory, apply } = test
  const { namespace, pods, url } = platform
  const load = { name: 'good release', profile: 'rollout', connection: 'mixed', rate, users } as const
  let canary = ''
  const run = await runUnderLoad(platform, { ...load, seconds: goodSeconds }, directory, async (mark) => {
    await mark('Deployment to Rollout')
    await forgetReplicas(namespace)
    await apply(before)
    const migrated = await releaseEnded(namespace, releaseTimeoutMs)
    await oneRevision(platform, migrated)
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
    canary = ended.currentPodHash
    await oneRevision(platform, ended)
    await mark('afterwards')
    const after = await versionsOf(url)
    const analyses = await analysisRuns(namespace, ended.currentPodHash)
    const passed = analyses.filter(({ phase }) => phase === 'Successful').length
    return [
      ...checks,
      check(
        'a good release passes every analysis and is promoted',
        ended.phase === 'Healthy' && !ended.abort && passed === analyses.length && analyses.length >= 5,
        `${ended.phase}, ${passed} of ${analyses.length} analyses passed: ${describeAnalyses(analyses)}`,
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
    check('the load lasts until the good release is complete', run.inTime, run.inTime ? 'yes' : 'no'),
    check(
      'a good release loses nothing',
      lost === 0 && refused === 0,
      `${lost} lost, ${refused} refused, of ${sent}`,
    ),
    ...(await checkClients(test, run, canary, true)),
  ]
  return { ...run, checks }
}

/** The checks of the variant, on what the load recorded. */
async function checkClients(
  { clients, directory }: Test,
  run: ClusterRun,
  canary: string,
  promoted: boolean,
): Promise<readonly Check[]> {
  const records = await Bun.file(join(directory, run.name, 'requests.csv')).text()
  return clients.check({ run, canary, promoted, records })
}

/** Waits until only pods of the stable revision are left. With a Gateway, the others serve for a while after a decision. */
async function oneRevision({ pods, settled }: Platform, { stableRS }: RolloutStatus): Promise<void> {
  await until(() => pods.live('api').every(({ revision }) => revision === stableRS), {
    what: 'the pods of the other revision to stop',
    timeoutMs: releaseTimeoutMs,
    intervalMs: 200,
  })
  await settled()
}

/** A release that must be stopped; then the one before is applied again, as a revert does. */
async function releaseBad(
  test: Test,
  good: Release,
  { name, release, metrics: mayStop, seconds }: BadRelease,
): Promise<ClusterRun> {
  const { platform, variant, directory, apply } = test
  const { namespace, pods, url } = platform
  const stable = (await rolloutStatus(namespace)).stableRS
  const load = { name, profile: 'rollout', connection: 'mixed', rate, users } as const
  const duration = seconds + variant.stayingSeconds
  let canary = ''
  const run = await runUnderLoad(platform, { ...load, seconds: duration }, directory, async (mark) => {
    await mark(`release: ${name}`)
    await apply({ ...good, ...release })
    const seen = await releaseSeen(namespace, stable)
    await releaseDecided(namespace, releaseTimeoutMs)
    await mark('taken back')
    const ended = await releaseEnded(namespace, releaseTimeoutMs)
    canary = seen.currentPodHash
    await oneRevision(platform, ended)
    await mark('stable again')
    const analyses = await analysisRuns(namespace, seen.currentPodHash)
    const culprits = analyses.flatMap(({ metrics }) =>
      metrics.filter(({ phase }) => phase === 'Failed').map((metric) => metric.name),
    )
    const live = pods.live('api')
    const checks = [
      check(
        `a release with this fault is stopped: ${name}`,
        ended.abort && ended.stableRS === stable && culprits.some((culprit) => mayStop.includes(culprit)),
        `${ended.phase}, ${ended.message}; ${describeAnalyses(analyses)}`,
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
      check(`the load lasts until the return: ${name}`, run.inTime, run.inTime ? 'yes' : 'no'),
      check(
        `nothing is lost before the release and after it: ${name}`,
        lost === 0 && refused === 0,
        `${lost} lost, ${refused} refused, of ${sent}; in all ${all.lost} lost of ${all.sent}, the release's own included`,
      ),
      ...(await checkClients(test, run, canary, false)),
    ],
  }
}

/** Takes `replicas` out of what kubectl last applied, as docs/progressive-delivery.md says: else the Deployment scales to 1. */
async function forgetReplicas(namespace: Platform['namespace']): Promise<void> {
  const applied = await namespace.kubectl('apply', 'view-last-applied', 'deployment/api', '--output=json')
  const { spec, ...rest } = JSON.parse(applied) as { spec: Record<string, unknown> }
  const without = JSON.stringify({ ...rest, spec: { ...spec, replicas: undefined } })
  const { exitCode, stderr } = await namespace.try(['apply', 'set-last-applied', '--filename=-'], without)
  if (exitCode !== 0) throw new Error(`kubectl apply set-last-applied: ${stderr}`)
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

/** The analyses of a release, each with its outcome and the measurements of what did not pass. */
function describeAnalyses(analyses: readonly AnalysisRun[]): string {
  return analyses
    .flatMap(({ metrics }) =>
      metrics.map(({ name, phase, values }) =>
        phase === 'Failed' ? `${name} ${phase} (${values.join(' ')})` : `${name} ${phase}`,
      ),
    )
    .join(', ')
}
