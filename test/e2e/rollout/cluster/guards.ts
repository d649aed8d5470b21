import { until } from '../../../support/until.ts'
import { type Check, check } from './check.ts'
import { evict } from './disruptions.ts'
import { applyObjects } from './kubectl.ts'
import type { Platform } from './platform.ts'

/** The labels of a worker in the overlay's network policies. No Service selects it. */
const workerLabels = { 'app.kubernetes.io/name': 'tally', 'app.kubernetes.io/component': 'worker' }

/**
 * What the cluster must refuse: an unauthorized connection to Redis, a privileged pod, an eviction beyond the
 * PodDisruptionBudget. Each is paired with an allowed case.
 *
 * @param image an image with Bun, for the pods that try to connect
 */
export async function checkGuards(platform: Platform, image: string): Promise<Check[]> {
  return [
    ...(await checkNetworkPolicy(platform, image)),
    await checkPodSecurity(platform, image),
    ...(await checkDisruptionBudget(platform)),
  ]
}

async function checkNetworkPolicy(platform: Platform, image: string): Promise<Check[]> {
  const { namespace } = platform
  const stranger = await canConnect(platform, 'stranger', image, {})
  const friend = await canConnect(platform, 'friend', image, workerLabels)
  const names = (await namespace.kubectl('get', 'networkpolicy', '-o', 'name')).split('\n')
  const policies = await namespace.kubectl('get', ...names, '-o', 'json')
  await namespace.kubectl('delete', ...names)
  const unguarded = await canConnect(platform, 'stranger-again', image, {})
  const restored = await namespace.try(['apply', '--filename=-'], policies)
  return [
    check('a pod without the label does not reach Redis', !stranger, stranger ? 'connected' : 'refused'),
    check('a pod with the label reaches Redis', friend, friend ? 'connected' : 'refused'),
    check(
      'without the network policies the first one reaches Redis too',
      unguarded && restored.exitCode === 0,
      `${unguarded ? 'connected' : 'refused'}; policies restored${restored.exitCode === 0 ? '' : `: ${restored.stderr}`}`,
    ),
  ]
}

/** Whether a pod with these labels can open a connection to Redis. */
async function canConnect(
  { namespace }: Platform,
  name: string,
  image: string,
  labels: Readonly<Record<string, string>>,
): Promise<boolean> {
  // The policies learn a new pod's address a moment after its start, so the pod waits and then tries once.
  const script =
    'await Bun.sleep(4000); const timer = setTimeout(() => process.exit(1), 4000); ' +
    "await Bun.connect({ hostname: 'redis', port: 6379, socket: { data() {} } }); clearTimeout(timer); process.exit(0)"
  await applyObjects([podOf(namespace.name, name, image, labels, ['bun', '-e', script])])
  const phase = await until(
    async () => {
      const now = await namespace.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.phase}')
      return now === 'Succeeded' || now === 'Failed' ? now : undefined
    },
    { what: `the pod ${name} to end`, timeoutMs: 60_000, intervalMs: 50 },
  )
  await namespace.kubectl('delete', 'pod', name)
  return phase === 'Succeeded'
}

/** A pod that the restricted profile allows. */
function podOf(
  namespace: string,
  name: string,
  image: string,
  labels: Readonly<Record<string, string>>,
  command: readonly string[],
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'bun',
          image,
          command,
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  }
}

async function checkPodSecurity({ namespace }: Platform, image: string): Promise<Check> {
  const allowed = podOf(namespace.name, 'privileged', image, {}, ['bun', '--version'])
  const [container] = allowed.spec.containers
  const privileged = {
    ...allowed,
    spec: { ...allowed.spec, containers: [{ ...container, securityContext: { privileged: true } }] },
  }
  const dryRun = ['create', '--dry-run=server', '--filename=-']
  const denied = await namespace.try(dryRun, JSON.stringify(privileged))
  const taken = await namespace.try(dryRun, JSON.stringify(allowed))
  const reason = /violates PodSecurity "restricted:[^"]*"/.exec(denied.stderr)?.[0]
  return check(
    'the namespace denies a privileged pod and allows one without privileges',
    denied.exitCode !== 0 && reason !== undefined && taken.exitCode === 0,
    reason ?? (denied.exitCode === 0 ? 'it was allowed' : denied.stderr.trim()),
  )
}

async function checkDisruptionBudget({ namespace, pods, settled }: Platform): Promise<Check[]> {
  const [first, second] = pods.live('api').map(({ name }) => name)
  const granted = await evict(namespace, first ?? '')
  const denied = await evict(namespace, second ?? '')
  await until(() => pods.live('api').filter(({ ready }) => ready).length === 3, {
    what: 'three pods again',
    timeoutMs: 90_000,
    intervalMs: 50,
  })
  await settled()
  return [
    check('an eviction within the PodDisruptionBudget is granted', granted === 201, `status ${granted}`),
    check('a simultaneous eviction beyond it is denied', denied === 429, `status ${denied}`),
  ]
}
