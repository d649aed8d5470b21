import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { faultInjection } from '../../../src/http/middleware/fault-injection.ts'
import { createFaultsSchema } from '../../../src/runtime-settings/schemas.ts'
import type { Settings } from '../../../src/runtime-settings/settings.ts'
import { createFaultInjectionMetrics } from '../../../src/telemetry/metrics/fault-injection-metrics.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { liveSettings } from '../../support/live.ts'
import { parseMetrics } from '../../support/metrics.ts'
import { expectProblem } from '../../support/problems.ts'

const faults = (changes: object): Pick<Settings, 'faults'> => ({
  faults: createFaultsSchema().parse(changes),
})

const payload: RequestInit = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(examplePayload),
}

/** A service with injected faults, and everything it logs and counts. */
function start(changes: object, { random = Math.random, accessLog = true } = {}) {
  const lines: string[] = []
  const deps = appDeps({ accessLog }, lines)
  const settings = liveSettings(faults(changes))
  const count = createFaultInjectionMetrics(deps.metrics.registry, 'api_', () => ({
    errorRate: settings.current.faults.error_rate,
    delayRate: settings.current.faults.delay_rate,
    delaySeconds: settings.current.faults.delay_ms / 1_000,
  }))
  const app = createApp({ ...deps, applicationChecks: [faultInjection(settings, count, random)] })
  return {
    settings,
    send: async (path = '/payload'): Promise<Response> =>
      await app.request(path, path === '/payload' ? payload : {}),
    scrape: async () => parseMetrics(await deps.metrics.registry.metrics()),
    async requestLines() {
      await deps.log.flush()
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

describe('injected faults', () => {
  test('are off by default, take effect at once, and can be removed', async () => {
    const { send, settings } = start({})
    expect((await send()).status).toBe(200)
    await settings.change(faults({ error_rate: 1 }), 'test')
    await expectProblem(await send(), 503, 'injected-fault')
    await settings.change(faults({}), 'test')
    expect((await send()).status).toBe(200)
  })

  test('respond with the configured status', async () => {
    const { send } = start({ error_rate: 1, error_status: 500 })
    await expectProblem(await send(), 500, 'injected-fault')
  })

  test('do not affect probes, metrics and pages', async () => {
    const { send } = start({ error_rate: 1 })
    for (const path of ['/health', '/ready', '/metrics', '/version', '/', '/docs', '/openapi.json'])
      expect({ path, status: (await send(path)).status }).toEqual({ path, status: 200 })
  })

  test('affect the configured share of requests', async () => {
    // 0, 1/8, 2/8 … 7/8, and again.
    let drawn = 0
    const { send } = start({ error_rate: 0.25 }, { random: () => (drawn++ % 8) / 8 })
    const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await send()).status))
    expect(statuses.filter((status) => status === 503)).toHaveLength(10)
  })

  test('delay by the configured time and jitter', async () => {
    const { send } = start({ delay_ms: 40, delay_jitter_ms: 40 }, { random: () => 0.5 })
    const startedAt = performance.now()
    expect((await send()).status).toBe(200)
    // A timer of this runtime may fire a millisecond early.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59)
  })

  test('are named in the access line of each affected request, and counted', async () => {
    const { send, settings, scrape, requestLines } = start({ error_rate: 1, delay_ms: 1 })
    await send()
    await settings.change(faults({ delay_ms: 2 }), 'test')
    await send()
    await settings.change(faults({}), 'test')
    await send()
    expect((await requestLines()).map(({ status, fault }) => [status, fault])).toEqual([
      [503, 'delay,error'],
      [200, 'delay'],
      [200, undefined],
    ])
    const metrics = await scrape()
    expect(metrics.get('api_injected_faults_total{fault="delay"}')).toBe(2)
    expect(metrics.get('api_injected_faults_total{fault="error"}')).toBe(1)
    expect(metrics.get('api_injected_error_rate')).toBe(0)
    await settings.change(faults({ error_rate: 0.5, delay_ms: 250 }), 'test')
    expect((await scrape()).get('api_injected_error_rate')).toBe(0.5)
    expect((await scrape()).get('api_injected_delay_seconds')).toBe(0.25)
  })

  test('are logged also without an access log', async () => {
    const { send, requestLines } = start({ error_rate: 1, error_status: 404 }, { accessLog: false })
    await send()
    expect(await requestLines()).toMatchObject([{ status: 404, fault: 'error' }])
  })
})
