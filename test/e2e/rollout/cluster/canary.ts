import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { until } from '../../../support/until.ts'
import type { Namespace } from './kubectl.ts'
import { kustomizationOf } from './overlay.ts'
import type { Platform } from './platform.ts'
import type { ClusterSettings } from './settings.ts'
import type { Variant } from './variant.ts'

/** How the analyses run here: as in deploy/argo/canary, but in a hurry, because Prometheus scrapes once a second. */
const hurry = { windowSeconds: 20, delaySeconds: 20, intervalSeconds: 4, smokeRequests: 20, stopSeconds: 15 }

/** A release: the pods that it has, and what is wrong with them. */
export interface Release {
  readonly image: string
  /** Merged into the API's container. */
  readonly container?: Readonly<Record<string, unknown>>
  /** Mounted at `/etc/careless`, by file name. */
  readonly files?: Readonly<Record<string, string>>
}

const rolloutSchema = z.object({
  metadata: z.object({ generation: z.number() }),
  status: z.object({
    phase: z.string().default(''),
    message: z.string().default(''),
    abort: z.boolean().default(false),
    currentPodHash: z.string().default(''),
    stableRS: z.string().default(''),
    observedGeneration: z.string().default(''),
    workloadObservedGeneration: z.string().default(''),
    currentStepIndex: z.number().default(0),
    availableReplicas: z.number().default(0),
    replicas: z.number().default(0),
    updatedReplicas: z.number().default(0),
  }),
})
/** What the controller reports of the Rollout. */
export type RolloutStatus = z.output<typeof rolloutSchema>['status']

const analysisRunSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  status: z
    .object({
      phase: z.string().default(''),
      message: z.string().default(''),
      metricResults: z
        .array(
          z.object({
            name: z.string(),
            phase: z.string(),
            measurements: z.array(z.object({ phase: z.string(), value: z.string().default('') })).default([]),
          }),
        )
        .default([]),
    })
    .default({ phase: '', message: '', metricResults: [] }),
})
/** One run of a analysis. */
export interface AnalysisRun {
  readonly name: string
  readonly phase: string
  readonly message: string
  readonly metrics: readonly {
    readonly name: string
    readonly phase: string
    readonly values: readonly string[]
  }[]
}

/** Whether the cluster has a running Argo Rollouts. */
export async function hasController(namespace: Namespace): Promise<boolean> {
  const { exitCode } = await namespace.try(['get', 'crd', 'rollouts.argoproj.io'])
  if (exitCode !== 0) return false
  const { stdout } = await namespace.try([
    ...['get', 'deployment', '--all-namespaces', '--selector=app.kubernetes.io/name=argo-rollouts'],
    '--output=jsonpath={.items[*].status.availableReplicas}',
  ])
  return /[1-9]/.test(stdout)
}

/**
 * Applies the overlay with deploy/argo/canary, what the variant adds to it, and a release.
 *
 * @param directory takes the kustomization.
 */
export async function applyRelease(
  { namespace, prometheusUrl }: Pick<Platform, 'namespace' | 'prometheusUrl'>,
  { overlay, prometheus }: Pick<ClusterSettings, 'overlay' | 'prometheus'>,
  { components, patches }: Pick<Variant, 'components' | 'patches'>,
  directory: string,
  { image, container = {}, files = {} }: Release,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const careless = Object.keys(files).length > 0
  const pod = {
    containers: [
      {
        name: 'api',
        ...(careless && { volumeMounts: [{ name: 'careless', mountPath: '/etc/careless', readOnly: true }] }),
        ...container,
      },
    ],
    ...(careless && { volumes: [{ name: 'careless', configMap: { name: 'careless' } }] }),
  }
  const way = (path: string): string => relative(directory, resolve(path))
  const base = kustomizationOf(way(overlay), {
    image,
    patches: [{ spec: { template: { spec: pod } } }],
    withoutPrometheus: prometheus === 'machine',
  })
  // A load balancer may have no address for pods; the Service has.
  const url = prometheus === 'machine' ? prometheusUrl : `http://prometheus.${namespace.name}.svc:9090`
  const kustomization = {
    ...base,
    namespace: namespace.name,
    components: ['deploy/argo/canary', ...components].map(way),
    ...(careless && {
      configMapGenerator: [
        { name: 'careless', literals: Object.entries(files).map(([name, text]) => `${name}=${text}`) },
      ],
    }),
    patches: [...base.patches, ...hurryPatches(url), ...patches],
  }
  await Bun.write(join(directory, 'kustomization.yaml'), `${JSON.stringify(kustomization, null, 2)}\n`)
  await namespace.kubectl('apply', '--kustomize', directory)
}

/** Patches by index, each after a look at the name there, so that the build fails when the order has changed. */
function hurryPatches(prometheusUrl: string): object[] {
  const replace = (path: string, value: string) => ({ op: 'replace', path, value })
  const named = (path: string, name: string, value: string) => [
    { op: 'test', path: `${path}/name`, value: name },
    replace(`${path}/value`, value),
  ]
  const env = '/spec/metrics/0/provider/job/spec/template/spec/containers/0/env'
  return [
    {
      target: { kind: 'AnalysisTemplate', name: 'tally-requests' },
      patch: JSON.stringify([
        ...named('/spec/args/4', 'window', `${hurry.windowSeconds}s`),
        ...named('/spec/args/5', 'prometheus', prometheusUrl),
        ...[0, 1, 2].flatMap((metric) => [
          replace(`/spec/metrics/${metric}/initialDelay`, `${hurry.delaySeconds}s`),
          replace(`/spec/metrics/${metric}/interval`, `${hurry.intervalSeconds}s`),
        ]),
      ]),
    },
    {
      target: { kind: 'AnalysisTemplate', name: 'tally-load' },
      patch: JSON.stringify([
        ...named(`${env}/2`, 'N_REQUESTS', String(hurry.smokeRequests)),
        ...named(`${env}/4`, 'STOP_INTERVAL', String(hurry.stopSeconds)),
      ]),
    },
  ]
}

/** The state of the Rollout `api`. */
export async function rolloutStatus(namespace: Namespace): Promise<RolloutStatus> {
  return rolloutSchema.parse(JSON.parse(await namespace.kubectl('get', 'rollout', 'api', '-o', 'json')))
    .status
}

/**
 * Waits until the controller has seen the Deployment's present template and ended its release.
 *
 * @returns promoted, or aborted and every canary pod gone
 */
export async function releaseEnded(namespace: Namespace, timeoutMs: number): Promise<RolloutStatus> {
  const generation = await namespace.kubectl(
    'get',
    'deployment',
    'api',
    '-o',
    'jsonpath={.metadata.generation}',
  )
  return until(
    async () => {
      const status = await rolloutStatus(namespace)
      if (Number(status.workloadObservedGeneration) < Number(generation)) return undefined
      const promoted = status.phase === 'Healthy' && status.currentPodHash === status.stableRS
      const takenBack =
        status.abort && status.updatedReplicas === 0 && status.availableReplicas === status.replicas
      return promoted || takenBack ? status : undefined
    },
    { what: 'the release to be promoted or aborted', timeoutMs, intervalMs: 500 },
  )
}

/** Waits until the Rollout is aborted or promoted, with the canary's pods still there. */
export async function releaseDecided(namespace: Namespace, timeoutMs: number): Promise<RolloutStatus> {
  return until(
    async () => {
      const status = await rolloutStatus(namespace)
      return status.abort || (status.phase === 'Healthy' && status.currentStepIndex > 0) ? status : undefined
    },
    { what: 'a decision on the release', timeoutMs, intervalMs: 500 },
  )
}

/** The analyses that ran for a revision. */
export async function analysisRuns(namespace: Namespace, revision: string): Promise<AnalysisRun[]> {
  const list = await namespace.kubectl(
    ...['get', 'analysisrun', `--selector=rollouts-pod-template-hash=${revision}`, '-o', 'json'],
  )
  return z
    .object({ items: z.array(analysisRunSchema) })
    .parse(JSON.parse(list))
    .items.map(({ metadata, status }) => ({
      name: metadata.name,
      phase: status.phase,
      message: status.message,
      metrics: status.metricResults.map(({ name, phase, measurements }) => ({
        name,
        phase,
        values: measurements.map(({ phase: outcome, value }) => value || outcome),
      })),
    }))
}

/** Writes what k6 printed in the Jobs of the analyses. */
export async function saveJobLogs(namespace: Namespace, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const pods = await namespace.kubectl(
    ...[
      'get',
      'pods',
      '--selector=app.kubernetes.io/component=canary-test',
      '-o',
      'jsonpath={.items[*].metadata.name}',
    ],
  )
  for (const pod of pods.split(' ').filter(Boolean)) {
    const { output } = await namespace.try(['logs', pod])
    await Bun.write(join(directory, `${pod}.log`), output)
  }
}
