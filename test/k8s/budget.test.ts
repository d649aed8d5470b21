import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { type Config, parseConfig, secretNames } from '../../src/config.ts'
import { closeTimeoutMs, shutdownBudgetMs } from '../../src/lifecycle/index.ts'
import { type Built, buildAll, type Container } from './manifests.ts'

/** The log is flushed last (handleSignals). */
const flushMs = 2_000

/** The configuration of a container, with an address in place of each Secret. */
function configOf(built: Built, container: Container): Config {
  // A mounted file does not exist here, so its content replaces it.
  const environment = Object.fromEntries(
    Object.entries(built.environment(container)).map(([name, value]) =>
      secretNames.some((secret) => name === `${secret}_FILE`)
        ? [name.replace(/_FILE$/, ''), 'what is in the file']
        : [name, value],
    ),
  )
  const result = parseConfig({
    ...environment,
    INSTANCE_NAME: 'pod-1',
    DATABASE_URL: environment.DATABASE_URL && 'postgres://db/tally',
    REDIS_URL: environment.REDIS_URL && 'redis://queue',
  })
  if (!result.ok) throw new Error(`${built.overlay}, ${container.name}: ${result.problems.join(', ')}`)
  return result.config
}

const autoscalerSchema = z.object({
  spec: z.object({
    metrics: z.array(
      z.object({
        containerResource: z
          .object({
            name: z.string(),
            target: z.object({
              averageUtilization: z.number().optional(),
              averageValue: z.string().optional(),
            }),
          })
          .optional(),
        external: z.looseObject({}).optional(),
      }),
    ),
  }),
})

/** The metrics of a Deployment's autoscaler; undefined without one. */
function metricsOf(built: Built, name: string) {
  const scaler = built.kind('HorizontalPodAutoscaler').find(({ metadata }) => metadata.name === name)
  return scaler && autoscalerSchema.parse(scaler).spec.metrics
}

/** @throws Error for any unit but Mi */
function toMebibytes(quantity: string | undefined): number {
  const [, amount] = /^(\d+)Mi$/.exec(quantity ?? '') ?? []
  if (amount === undefined) throw new Error(`not an amount in Mi: ${quantity}`)
  return Number(amount)
}

const all = await buildAll()

describe.each(all.map((built) => [built.overlay, built] as const))('%s', (_, built) => {
  describe.each(['api', 'worker'])('%s', (name) => {
    const { spec } = built.workload(name).spec.template
    const [container] = spec.containers
    if (container === undefined) throw new Error(`${name} has no container`)
    const config = configOf(built, container)
    const preStopMs = (container.lifecycle?.preStop.sleep.seconds ?? 0) * 1_000
    const graceMs = spec.terminationGracePeriodSeconds * 1_000

    test('Kubernetes waits longer before it kills than a shutdown may take', () => {
      const budgetMs = shutdownBudgetMs({
        preStopMs,
        drainMaxMs: config.DRAIN_MAX,
        shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
        closeTimeoutMs,
      })
      expect(graceMs).toBeGreaterThanOrEqual(budgetMs + flushMs)
    })

    test('the process knows both times, so that it can warn when they do not fit', () => {
      expect({ preStop: config.PRE_STOP, grace: config.GRACE_PERIOD }).toEqual({
        preStop: preStopMs,
        grace: graceMs,
      })
    })
  })

  test('the API keeps serving for seconds after its removal from the endpoints, before SIGTERM', () => {
    const [api] = built.workload('api').spec.template.spec.containers
    expect(api?.lifecycle?.preStop.sleep.seconds).toBeGreaterThanOrEqual(5)
  })

  test("all processes together, at the autoscaler's maximum and in a rollout, leave PostgreSQL connections", () => {
    // max_connections is 100 by default, of which 3 are for superusers.
    const available = 97
    const api = built.workload('api')
    const [container] = api.spec.template.spec.containers
    const scaler = built.kind('HorizontalPodAutoscaler').find(({ metadata }) => metadata.name === 'api')
    const { maxReplicas } = z
      .object({ spec: z.object({ maxReplicas: z.number() }) })
      .parse(scaler ?? { spec: { maxReplicas: api.spec.replicas } }).spec
    const surge = 1
    const listening = 1
    const { DATABASE_POOL_SIZE } = configOf(built, container as Container)
    // The worker of k8s/ has its queue on Redis. One connection more for the migration, one for the backup.
    const sum = (maxReplicas + surge) * (DATABASE_POOL_SIZE + listening) + 2
    expect(sum).toBeLessThanOrEqual(available)
  })

  test.each([
    ['api', '1'],
    ['worker', '500m'],
  ])('the autoscaler of %s measures utilization of the CPU that the scheduler has reserved', (name, cpu) => {
    const metrics = metricsOf(built, name)
    if (metrics === undefined) return
    const target = metrics.find(({ containerResource }) => containerResource?.name === 'cpu')
    expect(target?.containerResource?.target.averageUtilization).toBeLessThan(100)
    const [container] = built.workload(name).spec.template.spec.containers
    expect(container?.resources.requests.cpu).toBe(cpu)
  })

  test.each(['api', 'worker'])(
    'the autoscaler of %s adds pods long before one is at its memory limit',
    (name) => {
      const metrics = metricsOf(built, name)
      if (metrics === undefined) return
      const target = metrics.find(({ containerResource }) => containerResource?.name === 'memory')
      const [container] = built.workload(name).spec.template.spec.containers
      const limit = toMebibytes(container?.resources.limits.memory)
      const average = toMebibytes(target?.containerResource?.target.averageValue)
      expect(average).toBeLessThanOrEqual(limit / 2)
      // Idle pods must not add up to more: a pod requests what it needs at rest.
      expect(average).toBeGreaterThan(toMebibytes(container?.resources.requests.memory))
    },
  )

  test('the age of the queue is one more reason to add workers, where the component is used', () => {
    const age = { metric: { name: 'worker_oldest_pending_seconds' }, target: { type: 'Value', value: '30' } }
    const production = all.find(({ overlay }) => overlay === 'production') as Built
    if (built.overlay === 'everything')
      expect(metricsOf(built, 'worker')).toEqual([
        ...(metricsOf(production, 'worker') ?? []),
        { external: age },
      ])
    else for (const metric of metricsOf(built, 'worker') ?? []) expect(metric.external).toBeUndefined()
  })

  test("the programs have the configuration's own ports and roles", () => {
    const portsOf = (name: string) => {
      const [container] = built.workload(name).spec.template.spec.containers
      if (container === undefined) throw new Error(`${name} has no container`)
      const named: Record<string, number | undefined> = Object.fromEntries(
        container.ports.map((port) => [port.name, port.containerPort]),
      )
      return { config: configOf(built, container), named }
    }
    const api = portsOf('api')
    expect(api.named).toEqual({ http: api.config.PORT, metrics: api.config.METRICS_PORT })
    expect(api.config.WORKER).toBe('off')
    const worker = portsOf('worker')
    expect(worker.named).toEqual({ http: worker.config.WORKER_PORT, metrics: worker.config.METRICS_PORT })
  })
})
