import { join } from 'node:path'
import { z } from 'zod'
import { runSuccessfully } from '../../../support/command.ts'
import { until } from '../../../support/until.ts'
import { type Namespace, openNamespace } from './kubectl.ts'
import { applyOverlay, type Change } from './overlay.ts'
import { type Pods, watchPods } from './pods.ts'
import { runClusterPrometheus } from './prometheus.ts'
import type { ClusterSettings } from './settings.ts'
import { prepareVolumes } from './volumes.ts'

/** The Deployments to replace under load. */
export const deployments = ['api', 'worker'] as const
export type Deployment = (typeof deployments)[number]
/** The same of the Helm release `tally`, which is in the namespace for a while. */
export const releaseDeployments = ['tally-api', 'tally-worker'] as const

/** The deployed overlay. */
export interface Platform {
  readonly namespace: Namespace
  /** The names of the Deployments that serve and work. */
  readonly deployments: readonly string[]
  readonly pods: Pods
  /** The API and Prometheus, through their load balancers, or Prometheus on this machine. */
  readonly url: string
  readonly prometheusUrl: string
  /** Applies the overlay with a change; resolves when no rollout is in progress. */
  apply(change: Change): Promise<void>
  /** Resolves when a rollout is complete: every new pod is available. */
  rolledOut(deployment: Deployment): Promise<void>
  /**
   * Resolves when the rollouts are complete and every replaced pod is gone.
   *
   * @param names of the Deployments. Default: those of the overlay.
   */
  settled(names?: readonly string[]): Promise<void>
  /** Removes everything from the cluster. */
  undeploy(): Promise<void>
  /** Ends its processes on this machine. */
  close(): Promise<void>
}

/** Longer than a rollout of six pods takes, each with its grace period. */
const rolloutTimeoutSeconds = 180

const serviceSchema = z.object({
  spec: z.object({ ports: z.array(z.object({ port: z.number() })).min(1) }),
  status: z.object({
    loadBalancer: z.object({
      ingress: z.array(z.object({ ip: z.string().optional(), hostname: z.string().optional() })).default([]),
    }),
  }),
})

/**
 * Deploys the overlay into an empty namespace and waits until it responds through its load balancers.
 *
 * @param directory for kustomizations and logs
 */
export async function deploy(settings: ClusterSettings, directory: string): Promise<Platform> {
  const { image, nextImage, imageLoad, overlay } = settings
  for (const each of imageLoad === null ? [] : [image, nextImage]) {
    await runSuccessfully([...(imageLoad ?? []), each])
  }
  const namespace = await openNamespace(settings.namespace, directory)
  // Leftovers of another run would be counted here.
  await namespace.kubectl('delete', 'namespace', namespace.name, '--ignore-not-found', '--timeout=180s')
  const removeVolumes = await prepareVolumes(namespace, image)

  let changes = 0
  const withoutPrometheus = settings.prometheus === 'machine'
  const applyChange = (change: Change): Promise<void> =>
    applyOverlay(namespace, overlay, join(directory, `kustomize-${++changes}`), {
      ...change,
      withoutPrometheus,
    })
  await applyChange({ image })
  const pods = await watchPods(namespace, [...deployments, ...releaseDeployments], join(directory, 'pods'))
  const prometheus = withoutPrometheus ? await runClusterPrometheus(namespace, pods, directory) : null
  for (const each of ['statefulset/postgres', 'statefulset/redis']) await rolloutStatus(namespace, each)
  if (prometheus === null) await rolloutStatus(namespace, 'deployment/prometheus')
  const rolledOut = (deployment: string): Promise<void> =>
    rolloutStatus(namespace, `deployment/${deployment}`)
  const settled = async (names: readonly string[] = deployments): Promise<void> => {
    for (const name of names) await rolledOut(name)
    await until(
      () => names.every((each) => pods.all(each).every(({ terminating, gone }) => gone || !terminating)),
      { what: 'replaced pods to be gone', timeoutMs: rolloutTimeoutSeconds * 1_000, intervalMs: 50 },
    )
  }
  await settled()
  const url = await balancedUrl(namespace, 'api', '/ready')
  return {
    namespace,
    deployments,
    pods,
    url,
    prometheusUrl: prometheus?.url ?? (await balancedUrl(namespace, 'prometheus', '/-/ready')),
    async apply(change) {
      await applyChange(change)
      await settled()
    },
    rolledOut,
    settled,
    async undeploy() {
      await namespace.kubectl('delete', 'namespace', namespace.name, '--timeout=180s')
      await removeVolumes()
    },
    async close() {
      pods.close()
      await prometheus?.close()
      await namespace.close()
    },
  }
}

async function rolloutStatus(namespace: Namespace, name: string): Promise<void> {
  await namespace.kubectl('rollout', 'status', name, `--timeout=${rolloutTimeoutSeconds}s`)
}

/** The address of a Service of type LoadBalancer; resolves when it responds. */
export async function balancedUrl(namespace: Namespace, service: string, path: string): Promise<string> {
  return until(
    async () => {
      const { spec, status } = serviceSchema.parse(
        JSON.parse(await namespace.kubectl('get', 'service', service, '-o', 'json')),
      )
      const [ingress] = status.loadBalancer.ingress
      const host = ingress?.ip ?? ingress?.hostname
      if (host === undefined) return undefined
      const url = `http://${host}:${spec.ports[0]?.port}`
      const answer = await fetch(`${url}${path}`, {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(3_000),
      })
      return answer.ok ? url : undefined
    },
    { what: `the load balancer of ${service}`, timeoutMs: 120_000, intervalMs: 50 },
  )
}
