import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { z } from 'zod'
import { parseConfig } from '../../src/config.ts'
import { canBuild } from '../k8s/manifests.ts'
import { root } from '../support/root.ts'
import { type Analysis, buildCanaries, canaryOf, type Metric, meets } from './argo.ts'

const canaries = canBuild ? await buildCanaries() : []
const seconds = (text: string | undefined): number => {
  const match = /^(\d+)(s|m)$/.exec(text ?? '')
  if (match === null) throw new Error(`${text} is not a duration`)
  return Number(match[1]) * (match[2] === 'm' ? 60 : 1)
}

describe.each(canaries.map((built) => [built.overlay, built] as const))('%s', (_, built) => {
  const { rollout, templates } = canaryOf(built)
  const { canary } = rollout.spec.strategy
  const { template: pod } = built.workload('api').spec
  const [container] = pod.spec.containers
  if (container === undefined) throw new Error('api has no container')
  const analyses: Analysis[] = [canary.analysis, ...canary.steps.flatMap(({ analysis }) => analysis ?? [])]
  const metricsOf = ({ templates: names }: Analysis): Metric[] =>
    names.flatMap(({ templateName }) => templates.get(templateName)?.spec.metrics ?? [])
  const inSteps = canary.steps.flatMap(({ analysis }) => analysis ?? [])
  const requestAnalyses = inSteps.filter(({ templates: [first] }) => first?.templateName === 'tally-requests')
  const measurements = Number(
    templates.get('tally-requests')?.spec.args.find(({ name }) => name === 'measurements')?.value,
  )
  const queried = [...templates.values()]
    .flatMap(({ spec }) => spec.metrics)
    .filter(({ provider }) => provider.prometheus !== undefined)

  describe.each(queried.map((metric) => [metric.name, metric] as const))('analysis %s', (_, metric) => {
    const { successCondition = '', failureCondition = '' } = metric

    test('is inconclusive without data, neither passed nor failed', () => {
      for (const missing of [[], [Number.NaN]]) {
        expect([missing, meets(successCondition, missing)]).toEqual([missing, false])
        expect([missing, meets(failureCondition, missing)]).toEqual([missing, false])
      }
    })

    test('decides on every number, one way or the other', () => {
      fc.assert(
        fc.property(fc.double({ noNaN: true, min: 0 }), (value) => {
          expect(meets(successCondition, [value])).toBe(!meets(failureCondition, [value]))
        }),
      )
      expect(meets(successCondition, [0])).toBe(true)
      expect(meets(failureCondition, [1])).toBe(true)
    })

    test('waits for two scrapes, and its window has several', async () => {
      const { spec } = z
        .object({ spec: z.object({ endpoints: z.array(z.object({ interval: z.string() })) }) })
        .parse(
          Bun.YAML.parse(
            await Bun.file(join(root, 'k8s/components/service-monitor/service-monitor.yaml')).text(),
          ),
        )
      const scrapeSeconds = seconds(spec.endpoints[0]?.interval)
      const window = templates.get('tally-requests')?.spec.args.find(({ name }) => name === 'window')?.value
      expect(seconds(metric.initialDelay)).toBeGreaterThanOrEqual(2 * scrapeSeconds)
      // Else it would measure the large requests of the stop.
      expect(seconds(metric.initialDelay)).toBeGreaterThanOrEqual(seconds(window))
      expect(seconds(window)).toBeGreaterThanOrEqual(4 * scrapeSeconds)
    })

    test('stops on repeated failures, on missing data and on an unreachable Prometheus', () => {
      expect(metric.failureLimit).toBeLessThanOrEqual(1)
      // With as many measurements as the limit, all of them could be inconclusive and the metric would pass.
      expect(metric.inconclusiveLimit).toBeLessThan(measurements)
      expect(metric.failureLimit).toBeLessThan(measurements)
      expect(metric.consecutiveErrorLimit).toBeLessThanOrEqual(4)
    })
  })

  test('all measurements begin together: the controller ends a run without those that have not begun', () => {
    expect(new Set(queried.map(({ initialDelay, count }) => `${initialDelay} ${count}`)).size).toBe(1)
  })

  test('users’ requests are measured in the background and by analyses that must end', () => {
    expect(canary.analysis.templates).toEqual([{ templateName: 'tally-requests' }])
    expect(canary.analysis.args).toContainEqual({ name: 'measurements', value: '0' })
    // The controller looks at the template's own value, and refuses a step that would not end.
    expect(measurements).toBeGreaterThan(0)
    for (const { args } of requestAnalyses) expect(args.map(({ name }) => name)).not.toContain('measurements')
    // Before a user's request reaches the canary, every measurement would be without data.
    const before = canary.steps.slice(0, canary.analysis.startingStep)
    expect(before.filter(({ analysis }) => analysis !== undefined)).toHaveLength(2)
    expect(before.findLast(({ setWeight }) => setWeight !== undefined)?.setWeight).toBeGreaterThan(0)
    expect(canary.steps[canary.analysis.startingStep ?? -1]?.analysis).toBeDefined()
    expect(requestAnalyses.length).toBeGreaterThanOrEqual(2)
    expect(queried.map(({ name }) => name).sort()).toEqual(['errors', 'slow', 'uncaught-errors'])
  })

  test('a lost request fails: the smoke test and the stop run once, before more users meet the canary', () => {
    const scripts = inSteps
      .filter(({ templates: [first] }) => first?.templateName === 'tally-load')
      .map(({ args }) => args.find(({ name }) => name === 'script')?.value)
    expect(scripts).toEqual(['smoke', 'stop'])
    const firstAnalyses = canary.steps.findIndex(({ analysis }) => analysis !== undefined)
    const weights = canary.steps.map(({ setWeight }) => setWeight ?? 0)
    // All pods by number: 40 % are needed for two of five.
    expect(Math.max(...weights.slice(0, firstAnalyses))).toBeLessThanOrEqual(canary.trafficRouting ? 0 : 40)
    const [metric] = metricsOf({ templates: [{ templateName: 'tally-load' }], args: [] })
    expect(metric).toMatchObject({ count: 1, failureLimit: 0, consecutiveErrorLimit: 0 })
    expect(metric?.provider.job?.spec.backoffLimit).toBe(0)
  })

  test('two canary pods exist when one is stopped', () => {
    const { setCanaryScale, setWeight } = canary.steps[0] ?? {}
    expect(setCanaryScale?.replicas ?? Math.round((rollout.spec.replicas * (setWeight ?? 0)) / 100)).toBe(2)
  })

  test('every analysis names a template that exists, and gives each argument that it has no value for', () => {
    for (const { templates: names, args } of analyses) {
      for (const { templateName } of names) {
        const template = templates.get(templateName)
        expect([templateName, template !== undefined]).toEqual([templateName, true])
        const given = args.map(({ name }) => name)
        const needed = template?.spec.args.filter(({ value }) => value === undefined) ?? []
        expect(given).toEqual(expect.arrayContaining(needed.map(({ name }) => name)))
        expect(template?.spec.args.map(({ name }) => name)).toEqual(expect.arrayContaining(given))
      }
    }
  })

  test('the Rollout takes over the pods of the Deployment, which sets no number of pods', () => {
    expect(rollout.spec.workloadRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'api' })
    expect(built.workload('api').spec.replicas).toBeUndefined()
    expect(pod.metadata.labels).toMatchObject(rollout.spec.selector.matchLabels)
    for (const service of [canary.canaryService, canary.stableService]) {
      const found = built.kind('Service').find(({ metadata }) => metadata.name === service)
      expect(z.object({ selector: z.record(z.string(), z.string()) }).parse(found?.spec).selector).toEqual(
        rollout.spec.selector.matchLabels,
      )
    }
    for (const scaler of built.kind('HorizontalPodAutoscaler')) {
      if (scaler.metadata.name !== 'api') continue
      expect(scaler.spec).toMatchObject({
        scaleTargetRef: { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'api' },
        minReplicas: rollout.spec.replicas,
      })
    }
  })

  test('never fewer pods than requested, and a canary that does not start is taken back', () => {
    expect(canary).toMatchObject({ maxUnavailable: 0, maxSurge: 1 })
    const { periodSeconds, failureThreshold } = container.startupProbe
    expect(rollout.spec.progressDeadlineSeconds).toBeGreaterThan(
      periodSeconds * failureThreshold + rollout.spec.minReadySeconds,
    )
    expect(rollout.spec.progressDeadlineAbort).toBe(true)
    expect(rollout.spec.minReadySeconds).toBe(built.workload('api').spec.minReadySeconds as number)
  })

  describe('time for a drain', () => {
    const config = settingsOf(built.environment(container))
    // How long a pod may serve after it began to stop.
    const servesSeconds = (container.lifecycle?.preStop.sleep.seconds ?? 0) + config.DRAIN_MAX / 1_000
    const job = templates.get('tally-load')?.spec.metrics[0]?.provider.job?.spec
    const env = Object.fromEntries(
      job?.template.spec.containers[0]?.env.map(({ name, value }) => [name, value]) ?? [],
    )
    const loadSeconds = 5 + Number(env.STOPS) * Number(env.STOP_INTERVAL)

    test('the load on the canary lasts until every evicted pod has stopped serving', () => {
      expect(Number(env.STOP_INTERVAL)).toBeGreaterThanOrEqual(servesSeconds)
      expect(Number(env.STOPS)).toBeGreaterThanOrEqual(2)
      // Its last requests, and a slow start of its pod.
      expect(job?.activeDeadlineSeconds).toBeGreaterThan(loadSeconds + 60 + 60)
    })

    test('with a Gateway, pods that lose their traffic keep serving until no connection uses them', () => {
      if (canary.trafficRouting === undefined) {
        // Without one the controller ignores both.
        expect(canary.scaleDownDelaySeconds).toBeUndefined()
        expect(canary.abortScaleDownDelaySeconds).toBeUndefined()
        return
      }
      expect(canary.scaleDownDelaySeconds).toBeGreaterThanOrEqual(Math.max(30, servesSeconds))
      expect(canary.abortScaleDownDelaySeconds).toBeGreaterThanOrEqual(Math.max(30, servesSeconds))
      expect(canary.minPodsPerReplicaSet).toBe(2)
    })

    test('all pods of a rollout leave PostgreSQL connections', () => {
      const scaler = built.kind('HorizontalPodAutoscaler').find(({ metadata }) => metadata.name === 'api')
      const { maxReplicas } = z
        .object({ maxReplicas: z.number() })
        .parse(scaler?.spec ?? { maxReplicas: rollout.spec.replicas })
      // With a Gateway both revisions have all their pods for scaleDownDelaySeconds.
      const pods = canary.trafficRouting === undefined ? maxReplicas + canary.maxSurge : 2 * maxReplicas
      expect(pods * (config.DATABASE_POOL_SIZE + 1) + 2).toBeLessThanOrEqual(97)
    })
  })

  test('the Jobs find their scripts with everything that these import', async () => {
    const [{ projected } = { projected: { sources: [] } }] =
      templates.get('tally-load')?.spec.metrics[0]?.provider.job?.spec.template.spec.volumes ?? []
    const mounted = projected.sources.flatMap(({ configMap: { name, items } }) => {
      const map = built.kind('ConfigMap').find(({ metadata }) => metadata.name === name)
      const keys = Object.keys(z.record(z.string(), z.string()).parse(map?.data))
      return items === undefined ? keys : items.map(({ path }) => path)
    })
    const imported = new Set(['smoke.ts', 'stop.ts'])
    const transpiler = new Bun.Transpiler({ loader: 'ts' })
    for (const file of imported) {
      const text = await Bun.file(join(root, 'load', file)).text()
      for (const { path } of transpiler.scanImports(text))
        if (path.startsWith('./')) imported.add(path.slice(2))
    }
    expect(mounted.sort()).toEqual([...imported].sort())
  })

  test('the Jobs run as restricted as everything else, and may evict pods and nothing more', () => {
    const { serviceAccountName, containers, ...spec } =
      templates.get('tally-load')?.spec.metrics[0]?.provider.job?.spec.template.spec ??
      Object.assign({}, { serviceAccountName: '', containers: [] })
    expect(spec).toMatchObject({
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    expect(containers[0]?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const role = built.kind('Role').find(({ metadata }) => metadata.name === serviceAccountName)
    expect(role?.rules).toEqual([{ apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] }])
  })
})

/** The settings of the API's container, with addresses in the place of Secrets. */
function settingsOf(environment: ReturnType<(typeof canaries)[number]['environment']>) {
  const entries = Object.entries(environment).filter(([name]) => !name.endsWith('_FILE'))
  const result = parseConfig({
    ...Object.fromEntries(entries),
    INSTANCE_NAME: 'pod-1',
    DATABASE_URL: 'postgres://db/tally',
    REDIS_URL: 'redis://queue',
  })
  if (!result.ok) throw new Error(result.problems.join(', '))
  return result.config
}

test.if(canBuild)(
  'both scrape configurations give a pod its revision as the label of the queries',
  async () => {
    const label = 'rollouts_pod_template_hash'
    const [byPods, byGateway] = canaries
    const config = byPods
      ?.kind('ConfigMap')
      .find(({ data }) => JSON.stringify(data).includes('scrape_configs'))
    expect(JSON.stringify(config?.data)).toContain(`__meta_kubernetes_pod_label_${label}`)
    expect(byGateway?.kind('ServiceMonitor')[0]?.spec).toMatchObject({
      podTargetLabels: [label.replaceAll('_', '-')],
    })
  },
)

const chart = join(root, 'deploy/helm/tally/values.yaml')

describe('examples for delivery tools', () => {
  const keysOf = (value: unknown, path = ''): string[] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, each]) => [`${path}/${key}`, ...keysOf(each, `${path}/${key}`)])
      : []

  test.each([
    [
      'deploy/argo/application.yaml',
      z
        .object({ source: z.object({ helm: z.object({ valuesObject: z.looseObject({}) }) }) })
        .transform(({ source }) => source.helm.valuesObject),
    ],
    [
      'deploy/flux/helm-release.yaml',
      z.object({ values: z.looseObject({}) }).transform(({ values }) => values),
    ],
  ])('%s sets only values that the chart has', async (file, schema) => {
    const known = new Set(keysOf(Bun.YAML.parse(await Bun.file(chart).text())))
    const { spec } = z.object({ spec: schema }).parse(Bun.YAML.parse(await Bun.file(join(root, file)).text()))
    // `config` takes any setting.
    const unknown = keysOf(spec).filter((key) => !known.has(key) && !key.startsWith('/config/'))
    expect(unknown).toEqual([])
  })
})
