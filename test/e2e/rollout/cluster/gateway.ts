import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { until } from '../../../support/until.ts'
import { sumOf } from '../phases.ts'
import { type Check, check } from './check.ts'
import type { Namespace } from './kubectl.ts'
import { kustomizationOf } from './overlay.ts'
import type { Platform } from './platform.ts'
import type { ClusterRun } from './run.ts'
import type { ClusterSettings } from './settings.ts'
import { isNearWeight, type Split, splitsOf, type WeightChange } from './split.ts'
import type { ObservedRelease, Variant } from './variant.ts'

const plugin = 'argoproj-labs/gatewayAPI'
const gatewayComponent = 'k8s/components/gateway'
/** The listener of the test: plain HTTP, because a certificate is another matter. */
const listener = { name: 'http', protocol: 'HTTP', port: 80, allowedRoutes: { namespaces: { from: 'Same' } } }
const lookMs = 200

const classesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
      }),
    }),
  ),
})
const gatewaySchema = z.object({
  status: z.object({ addresses: z.array(z.object({ value: z.string() })).default([]) }),
})
const routeSchema = z.object({
  spec: z.object({
    rules: z.array(
      z.object({ backendRefs: z.array(z.object({ name: z.string(), weight: z.number().default(1) })) }),
    ),
  }),
})

/** Traffic by weight: clients reach the pods through a Gateway, of the first class that the cluster has accepted. */
export async function byGateway(platform: Platform): Promise<Variant> {
  const { namespace } = platform
  const className = await acceptedClass(namespace)
  const patches = gatewayPatches(className ?? '')
  return {
    name: 'gateway',
    async missing() {
      if (className === null) return 'no accepted GatewayClass in this cluster (make gateway-install)'
      if (await hasPlugin(namespace)) return null
      return `no Argo Rollouts with the plugin ${plugin} (make argo-rollouts-install GATEWAY_PLUGIN=version)`
    },
    components: [gatewayComponent, 'deploy/argo/gateway'],
    patches,
    // abortScaleDownDelaySeconds, and time for the checks.
    stayingSeconds: 90,
    async open(settings, directory) {
      const url = await openGateway(platform, settings, join(directory, 'gateway'), patches)
      const weights = watchWeights(namespace)
      return {
        url,
        check: async (release) => checkSplit(platform, weights.changes(), release),
        close: () => weights.close(),
      }
    },
  }
}

/** The first class that its controller has accepted; null if there is none. */
async function acceptedClass(namespace: Namespace): Promise<string | null> {
  const { exitCode, stdout } = await namespace.try(['get', 'gatewayclass', '-o', 'json'])
  if (exitCode !== 0) return null
  const accepted = classesSchema
    .parse(JSON.parse(stdout))
    .items.find(({ status }) =>
      status.conditions.some(({ type, status: value }) => type === 'Accepted' && value === 'True'),
    )
  return accepted?.metadata.name ?? null
}

async function hasPlugin(namespace: Namespace): Promise<boolean> {
  const { stdout } = await namespace.try([
    ...['get', 'configmap', '--all-namespaces', '--field-selector=metadata.name=argo-rollouts-config'],
    '--output=jsonpath={.items[*].data.trafficRouterPlugins}',
  ])
  return stdout.includes(plugin)
}

/** The Gateway and the route of k8s/components/gateway without TLS, without a host name, and of a class that the cluster has. */
function gatewayPatches(gatewayClassName: string): object[] {
  const route = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' }
  return [
    {
      target: { kind: 'Gateway', name: 'tally' },
      patch: JSON.stringify([
        { op: 'replace', path: '/spec', value: { gatewayClassName, listeners: [listener] } },
      ]),
    },
    {
      target: { kind: 'HTTPRoute', name: 'api' },
      patch: JSON.stringify([
        { op: 'replace', path: '/spec/parentRefs/0/sectionName', value: listener.name },
        { op: 'remove', path: '/spec/hostnames' },
      ]),
    },
    {
      target: { kind: 'HTTPRoute', name: 'api-to-https' },
      patch: JSON.stringify({ ...route, $patch: 'delete', metadata: { name: 'api-to-https' } }),
    },
  ]
}

/**
 * Puts the Gateway before the Deployment's pods, as an installation has it before its first release by Argo Rollouts.
 *
 * @returns its address, when it responds
 */
async function openGateway(
  { namespace }: Platform,
  { image, overlay, prometheus }: ClusterSettings,
  directory: string,
  patches: readonly object[],
): Promise<string> {
  await mkdir(directory, { recursive: true })
  const way = (path: string): string => relative(directory, resolve(path))
  const base = kustomizationOf(way(overlay), { image, withoutPrometheus: prometheus === 'machine' })
  const port = await namespace.kubectl('get', 'service', 'api', '-o', 'jsonpath={.spec.ports[0].port}')
  const toService = [{ op: 'replace', path: '/spec/rules/0/backendRefs/0/port', value: Number(port) }]
  const kustomization = {
    ...base,
    namespace: namespace.name,
    components: [way(gatewayComponent)],
    patches: [
      ...base.patches,
      ...patches,
      { target: { kind: 'HTTPRoute', name: 'api' }, patch: JSON.stringify(toService) },
    ],
  }
  await Bun.write(join(directory, 'kustomization.yaml'), `${JSON.stringify(kustomization, null, 2)}\n`)
  await namespace.kubectl('apply', '--kustomize', directory)
  return until(
    async () => {
      const gateway = await namespace.kubectl('get', 'gateway', 'tally', '-o', 'json')
      const address = gatewaySchema.parse(JSON.parse(gateway)).status.addresses[0]?.value
      if (address === undefined) return undefined
      const url = `http://${address}:${listener.port}`
      const answer = await fetch(`${url}/ready`, {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(3_000),
      })
      return answer.ok ? url : undefined
    },
    { what: 'the Gateway', timeoutMs: 120_000, intervalMs: 200 },
  )
}

/** Follows the weight of the canary in the HTTPRoute `api`, until closed. */
function watchWeights({ apiUrl, name }: Namespace): { changes(): readonly WeightChange[]; close(): void } {
  const url = `${apiUrl}/apis/gateway.networking.k8s.io/v1/namespaces/${name}/httproutes/api`
  const changes: WeightChange[] = []
  let closed = false
  void (async () => {
    while (!closed) {
      // One failed look is no change.
      const weight = await canaryWeight(url).catch(() => undefined)
      if (weight !== undefined && weight !== changes.at(-1)?.weight)
        changes.push({ atMs: Date.now(), weight })
      await Bun.sleep(lookMs)
    }
  })()
  return {
    changes: () => changes,
    close() {
      closed = true
    },
  }
}

/** The canary's weight; undefined while the route has none. */
async function canaryWeight(url: string): Promise<number | undefined> {
  const route = routeSchema.parse(await (await fetch(url)).json())
  return route.spec.rules[0]?.backendRefs.find(({ name }) => name === 'api-canary')?.weight
}

/** The clients' answers by revision, compared with the weights that the controller wrote meanwhile. */
export function checkSplit(
  { pods }: Pick<Platform, 'pods'>,
  changes: readonly WeightChange[],
  { run, canary, promoted, records }: ObservedRelease,
): Check[] {
  const splits = splitsOf(records, changes, (instance) => pods.byName(instance)?.revision === canary)
  // After its promotion the release is the stable one, whose weight is the rest.
  const end = splits.findIndex(({ weight }) => weight === 100)
  const before = promoted && end !== -1 ? splits.slice(0, end) : splits
  const hidden = sumSplits(before.filter(({ weight }) => weight === 0))
  const checks = [
    check(
      `no client reaches the canary while its weight is 0: ${run.name}`,
      hidden.canary === 0 && hidden.answers > 0,
      `${hidden.canary} of ${hidden.answers} answers`,
    ),
  ]
  if (!promoted) {
    const weight = changes.at(-1)?.weight
    checks.push(check(`after it the weight is 0: ${run.name}`, weight === 0, `${weight}`))
  }
  const reached = before.some(({ weight }) => weight > 0)
  checks.push(promoted || reached ? checkShares(before, run, promoted) : checkUnnoticed(run))
  return checks
}

/** A release that got requests: as many as its weights say. A promoted one had every weight of deploy/argo/gateway. */
function checkShares(splits: readonly Split[], { name }: ClusterRun, promoted: boolean): Check {
  const seen = splits.filter((split) => split.weight > 0 && isNearWeight(split) !== null)
  const required = promoted ? [10, 60] : [10]
  return check(
    `the canary's share of the answers is near its weight: ${name}`,
    seen.every(isNearWeight) && required.every((weight) => seen.some((split) => split.weight === weight)),
    seen.map(describeSplit).join(', ') || 'too few answers',
  )
}

/** A release that was stopped before it got any request of a client. */
function checkUnnoticed(run: ClusterRun): Check {
  const { lost, refused, sent } = sumOf(run.phases, run.name)
  return check(
    `without a weight no client notices the release: ${run.name}`,
    lost === 0 && refused === 0,
    `${lost} lost, ${refused} refused, of ${sent}`,
  )
}

function sumSplits(splits: readonly Split[]): Pick<Split, 'answers' | 'canary'> {
  return {
    answers: splits.reduce((sum, { answers }) => sum + answers, 0),
    canary: splits.reduce((sum, { canary }) => sum + canary, 0),
  }
}

function describeSplit({ weight, answers, canary }: Split): string {
  return `${((100 * canary) / answers).toFixed(1)} % of ${answers} with ${weight}`
}
