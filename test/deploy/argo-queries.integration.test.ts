import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canBuild } from '../k8s/manifests.ts'
import { hasProgram } from '../support/programs.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { noDrainWindow, type Service, startService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { buildCanaries, canaryOf, type Metric, meets, resolveArguments } from './argo.ts'

const [built] = canBuild ? await buildCanaries() : []
const template = built && canaryOf(built).templates.get('tally-requests')
const hasPrometheus = hasProgram('prometheus', 'prometheus')

/** The revisions of pods, by what is wrong with them. */
const faults = {
  stable: {},
  good: {},
  failing: { error_rate: 0.5, error_status: 503 },
  slow: { delay_ms: 600 },
} as const
/** Revisions that get no requests. */
const unused = { silent: {}, restarted: {} } as const

describe.skipIf(!hasPrometheus || template === undefined)('the queries of the canary’s analyses', () => {
  const running = new AsyncDisposableStack()
  const services = new Map<string, Service>()
  let ask: Prometheus['ask']
  let sending = true

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'argo-queries-'))
    running.defer(() => rm(folder, { recursive: true }))
    for (const [revision, injected] of Object.entries({ ...faults, ...unused })) {
      const file = join(folder, `${revision}.json`)
      await Bun.write(file, JSON.stringify({ faults: injected }))
      const env = { CONFIG_FILE: file, DEBUG_ROUTES: 'true', ...noDrainWindow }
      services.set(revision, running.use(await startService({ env })))
    }
    const prometheus = running.use(
      await startPrometheus(
        [...services].map(([revision, { port }]) => ({
          port,
          labels: { namespace: 'tally', pod: revision, rollouts_pod_template_hash: revision },
        })),
      ),
    )
    ask = prometheus.ask
    // Until the tests end, because a rate is over the last seconds.
    const clients = [...services].map(async ([revision, { url }]) => {
      while (sending && revision in faults) {
        const body = JSON.stringify({ numbers: [1, 2, 3], text: 'Some text.' })
        const headers = { 'content-type': 'application/json' }
        await fetch(`${url}/payload`, { method: 'POST', headers, body }).then((response) =>
          response.arrayBuffer(),
        )
        await Bun.sleep(20)
      }
    })
    running.defer(async () => {
      sending = false
      await Promise.all(clients)
    })
    await until(
      async () => {
        const { data } = await ask(
          'sum by (pod) (increase(api_http_requests_total{route="/payload"}[1m])) > 20',
        )
        return data.result.length === Object.keys(faults).length
      },
      { what: 'some requests of each revision', timeoutMs: 90_000, intervalMs: 100 },
    )
  }, 150_000)
  afterAll(() => running.disposeAsync())

  const measure = async ({ provider }: Metric, canary: string, stable = 'stable'): Promise<number[]> => {
    const query = resolveArguments(provider.prometheus?.query ?? '', {
      namespace: 'tally',
      window: '1m',
      canary,
      stable,
    })
    const { status, data } = await ask(query)
    if (status !== 'success') throw new Error(`${query}: ${status}`)
    return data.result.map(({ value: [, number] }) => Number(number))
  }

  for (const metric of template?.spec.metrics ?? []) {
    const { name, successCondition = '', failureCondition = '' } = metric
    const culprit = { errors: 'failing', slow: 'slow' }[name]

    test(`${name}: passes a good revision`, async () => {
      await until(async () => meets(successCondition, await measure(metric, 'good')), {
        what: `a good ${name}`,
        intervalMs: 100,
      })
    }, 60_000)

    test(`${name}: is inconclusive for a revision that nothing scrapes, and without an answered request`, async () => {
      const absent = await measure(metric, 'absent')
      expect(meets(successCondition, absent) || meets(failureCondition, absent)).toBe(false)
      if (culprit === undefined) return
      for (const [canary, stable] of [
        ['silent', 'stable'],
        ['good', 'silent'],
      ] as const) {
        const silent = await measure(metric, canary, stable)
        expect(meets(successCondition, silent) || meets(failureCondition, silent)).toBe(false)
      }
    })

    if (culprit !== undefined)
      test(`${name}: fails a revision that is ${culprit}, and not when the stable one is the same`, async () => {
        await until(async () => meets(failureCondition, await measure(metric, culprit)), {
          what: `a bad ${name}`,
          intervalMs: 100,
        })
        expect(meets(successCondition, await measure(metric, culprit, culprit))).toBe(true)
      }, 60_000)
  }

  test('uncaught-errors: fails a revision whose process ended by an uncaught error and was restarted', async () => {
    const metric = template?.spec.metrics.find((each) => each.name === 'uncaught-errors') as Metric
    const crashed = services.get('restarted') as Service
    await until(async () => meets(metric.successCondition ?? '', await measure(metric, 'restarted')), {
      what: 'a measurement before the crash',
      intervalMs: 100,
    })
    await fetch(`${crashed.url}/debug/crash`)
    await crashed.exited
    running.use(await startService({ env: { PORT: String(crashed.port) } }))
    await until(async () => meets(metric.failureCondition ?? '', await measure(metric, 'restarted')), {
      what: 'a changed start time',
      intervalMs: 100,
    })
  }, 90_000)
})
