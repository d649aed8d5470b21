import { check } from './check.ts'
import { applyObjects } from './kubectl.ts'
import type { Platform } from './platform.ts'
import { type ClusterRun, runUnderLoad } from './run.ts'
import type { ClusterSettings } from './settings.ts'

const replicasMin = 3
const replicasMax = 6
/** A third each: some load, ten times as much, and some again. The autoscaler polls every 15 s. */
const seconds = 180
/** CPU of a pod above which the autoscaler adds pods, in percent of its request. */
const targetPercent = 15

/** Lets a HorizontalPodAutoscaler add and remove pods while the load rises and falls. */
export async function autoscale(
  platform: Platform,
  settings: ClusterSettings,
  directory: string,
): Promise<ClusterRun> {
  const { namespace, pods, settled } = platform
  await applyObjects([autoscaler(namespace.name)])
  const rate = Math.ceil(settings.rate / 8)
  const run = await runUnderLoad(
    platform,
    { name: 'autoscaling', profile: 'spike', connection: 'mixed', rate, seconds, users: settings.users },
    directory,
    async (mark, endsAt) => {
      let most = 0
      let least = Number.POSITIVE_INFINITY
      let replicas = replicasMin
      // The last seconds are for pods to exit.
      while (performance.now() < endsAt - 12_000) {
        const now = pods.live('api').length
        if (now !== replicas) await mark(`${now > replicas ? 'scaled up' : 'scaled down'}: ${now} pods`)
        replicas = now
        most = Math.max(most, now)
        if (most > replicasMin) least = Math.min(least, now)
        await Bun.sleep(250)
      }
      return [
        check('the autoscaler adds pods under load', most > replicasMin, `${most} at most`),
        check('the autoscaler removes them after the load', least < most, `${replicas} in the end`),
      ]
    },
  )
  await namespace.kubectl('delete', 'hpa', 'api')
  await namespace.kubectl('scale', 'deployment/api', `--replicas=${replicasMin}`)
  await settled()
  return run
}

/** Like k8s/components/autoscaling, with shorter delays. */
function autoscaler(namespace: string) {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'api', namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'api' },
      minReplicas: replicasMin,
      maxReplicas: replicasMax,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: targetPercent } },
        },
      ],
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0 },
        scaleDown: {
          stabilizationWindowSeconds: 15,
          policies: [{ type: 'Pods', value: 3, periodSeconds: 15 }],
        },
      },
    },
  }
}
