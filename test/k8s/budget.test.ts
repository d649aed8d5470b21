import { describe, expect, test } from 'bun:test'
import { type Config, parseConfig } from '../../src/config.ts'
import { closeTimeoutMs, shutdownBudgetMs } from '../../src/lifecycle/index.ts'
import { type Built, buildAll, type Container } from './manifests.ts'

/** The log is flushed after everything else (handleSignals). */
const flushMs = 2_000

/** The configuration of a container, with an address in the place of each Secret. */
function configOf(built: Built, container: Container): Config {
  const environment = built.environment(container)
  const result = parseConfig({
    ...environment,
    INSTANCE_NAME: 'pod-1',
    DATABASE_URL: environment.DATABASE_URL && 'postgres://db/tally',
    REDIS_URL: environment.REDIS_URL && 'redis://queue',
  })
  if (!result.ok) throw new Error(`${built.overlay}, ${container.name}: ${result.problems.join(', ')}`)
  return result.config
}

describe.each((await buildAll()).map((built) => [built.overlay, built] as const))('%s', (_, built) => {
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

  test('the API serves on for seconds after it was taken out, before it is told to stop', () => {
    const [api] = built.workload('api').spec.template.spec.containers
    expect(api?.lifecycle?.preStop.sleep.seconds).toBeGreaterThanOrEqual(5)
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
