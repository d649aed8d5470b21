import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { faultsGate } from '../../../src/http/middleware/fault-injection.ts'
import { faultsSchema } from '../../../src/runtime-settings/schemas.ts'
import type { LiveSettings } from '../../../src/runtime-settings/settings.ts'
import { createFaultInjectionMetrics } from '../../../src/telemetry/metrics/fault-injection-metrics.ts'
import { appOptions } from '../../support/app-options.ts'
import { liveSettings } from '../../support/live.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { expectProblem } from '../../support/problems.ts'
import { examplePayload, post, request } from '../../support/requests.ts'

const faults = (given: object): Pick<LiveSettings, 'faults'> => ({ faults: faultsSchema.parse(given) })

/** The service with its faults set, and everything it logs and counts. */
function start(given: object, { random = Math.random, accessLog = true } = {}) {
  const lines: string[] = []
  const options = appOptions({ accessLog }, lines)
  const live = liveSettings(faults(given))
  const count = createFaultInjectionMetrics(options.metrics.registry, 'api_', () => ({
    errorRate: live.settings.faults.error_rate,
    delayRate: live.settings.faults.delay_rate,
    delaySeconds: live.settings.faults.delay_ms / 1_000,
  }))
  const app = createApp({ ...options, gates: { application: [faultsGate(live, count, random)] } })
  return {
    live,
    ask: async (path = '/payload'): Promise<Response> =>
      await app.fetch(path === '/payload' ? post(path, examplePayload) : request(path)),
    scrape: async () => parseMetrics(await options.metrics.registry.metrics()),
    async requestLines() {
      await options.log.flush()
      return lines
        .join('')
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
        .filter(({ msg }) => msg === 'request')
    },
  }
}

describe('faults', () => {
  test('are off until they are set, on at once, and off again', async () => {
    const { ask, live } = start({})
    expect((await ask()).status).toBe(200)
    await live.change(faults({ error_rate: 1 }), 'test')
    await expectProblem(await ask(), 503, 'injected-fault')
    await live.change(faults({}), 'test')
    expect((await ask()).status).toBe(200)
  })

  test('answer with the status that is set', async () => {
    const { ask } = start({ error_rate: 1, error_status: 500 })
    await expectProblem(await ask(), 500, 'injected-fault')
  })

  test('spare probes, metrics and pages', async () => {
    const { ask } = start({ error_rate: 1 })
    for (const path of ['/health', '/ready', '/metrics', '/version', '/', '/docs', '/openapi.json'])
      expect({ path, status: (await ask(path)).status }).toEqual({ path, status: 200 })
  })

  test('hit the share of requests that is set', async () => {
    // 0, 1/8, 2/8 … 7/8, and again.
    let drawn = 0
    const { ask } = start({ error_rate: 0.25 }, { random: () => (drawn++ % 8) / 8 })
    const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await ask()).status))
    expect(statuses.filter((status) => status === 503)).toHaveLength(10)
  })

  test('delay by what is set and jitter', async () => {
    const { ask } = start({ delay_ms: 40, delay_jitter_ms: 40 }, { random: () => 0.5 })
    const startedAt = performance.now()
    expect((await ask()).status).toBe(200)
    // A timer of this runtime may fire a millisecond early.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59)
  })

  test('are never silent: each affected line of the log says so, and they are counted', async () => {
    const { ask, live, scrape, requestLines } = start({ error_rate: 1, delay_ms: 1 })
    await ask()
    await live.change(faults({ delay_ms: 2 }), 'test')
    await ask()
    await live.change(faults({}), 'test')
    await ask()
    expect((await requestLines()).map(({ status, fault }) => [status, fault])).toEqual([
      [503, 'delay,error'],
      [200, 'delay'],
      [200, undefined],
    ])
    const metrics = await scrape()
    expect(metrics.get('api_injected_faults_total{fault="delay"}')).toBe(2)
    expect(metrics.get('api_injected_faults_total{fault="error"}')).toBe(1)
    expect(metrics.get('api_injected_error_rate')).toBe(0)
    await live.change(faults({ error_rate: 0.5, delay_ms: 250 }), 'test')
    expect((await scrape()).get('api_injected_error_rate')).toBe(0.5)
    expect((await scrape()).get('api_injected_delay_seconds')).toBe(0.25)
  })

  test('are told also where requests have no line of their own', async () => {
    const { ask, requestLines } = start({ error_rate: 1, error_status: 404 }, { accessLog: false })
    await ask()
    expect(await requestLines()).toMatchObject([{ status: 404, fault: 'error' }])
  })
})
