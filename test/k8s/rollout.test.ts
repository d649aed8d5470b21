import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { buildAll, buildFrom, canBuild } from './manifests.ts'

const targetSchema = z.object({ spec: z.object({ scaleTargetRef: z.object({ name: z.string() }) }) })
const disruptionSchema = z.object({
  spec: z.object({
    maxUnavailable: z.number(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
  }),
})

describe.each((await buildAll()).map((built) => [built.overlay, built] as const))('%s', (_, built) => {
  describe.each(['api', 'worker'])('%s', (name) => {
    const { spec } = built.workload(name)
    const [container] = spec.template.spec.containers
    if (container === undefined) throw new Error(`${name} has no container`)
    const { startupProbe, readinessProbe, livenessProbe } = container
    if (livenessProbe === undefined) throw new Error(`${name} has no livenessProbe`)
    const patienceSeconds = (probe: typeof startupProbe) => probe.periodSeconds * probe.failureThreshold

    test('is replaced pod by pod, the new one first', () => {
      expect(spec.strategy).toEqual({
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
      })
      expect(spec.minReadySeconds).toBeGreaterThan(0)
    })

    test('a rollout that does not start fails, but not before the slowest good start', () => {
      expect(spec.progressDeadlineSeconds).toBeGreaterThan(
        patienceSeconds(startupProbe) + (spec.minReadySeconds ?? 0),
      )
    })

    test('no outage of a dependency can restart a pod: only readiness checks dependencies', () => {
      expect(readinessProbe.httpGet).toEqual({ path: '/ready', port: 'http' })
      expect(startupProbe.httpGet).toEqual({ path: '/health', port: 'http' })
      expect(livenessProbe.httpGet).toEqual({ path: '/health', port: 'http' })
    })

    test('a busy pod gets no traffic long before it is restarted', () => {
      expect(patienceSeconds(livenessProbe)).toBeGreaterThanOrEqual(5 * patienceSeconds(readinessProbe))
      expect(livenessProbe.timeoutSeconds).toBeGreaterThan(readinessProbe.timeoutSeconds)
    })

    test('a drained node takes one pod at a time, and never all of them', () => {
      const budgets = built
        .kind('PodDisruptionBudget')
        .map((each) => disruptionSchema.parse(each).spec)
        .filter(({ selector }) =>
          Object.entries(selector.matchLabels).every(
            ([label, value]) => spec.template.metadata.labels[label] === value,
          ),
        )
      expect(budgets.map(({ maxUnavailable }) => maxUnavailable)).toEqual([1])
    })

    test('leaves the number of pods to its autoscaler, and has more than one pod without one', () => {
      const autoscaled = built
        .kind('HorizontalPodAutoscaler')
        .map((each) => targetSchema.parse(each).spec.scaleTargetRef.name)
      if (autoscaled.includes(name)) expect(spec.replicas).toBeUndefined()
      else expect(spec.replicas).toBeGreaterThan(1)
    })
  })
})

describe.if(canBuild)('a changed setting', () => {
  const templatesWith = async (level: string) => {
    const built = await buildFrom(level, (k8s) => ({
      resources: [`${k8s}/overlays/production`],
      configMapGenerator: [
        { name: 'tally', namespace: 'tally', behavior: 'merge', literals: [`LOG_LEVEL=${level}`] },
      ],
    }))
    return { api: built.workload('api').spec.template, worker: built.workload('worker').spec.template }
  }

  test('is another pod, so that it is rolled out; the same one is the same pod', async () => {
    const [before, after, again] = await Promise.all(['info', 'debug', 'info'].map(templatesWith))
    expect(after?.api).not.toEqual(before?.api)
    expect(after?.worker).not.toEqual(before?.worker)
    expect(again).toEqual(before)
  })
})
