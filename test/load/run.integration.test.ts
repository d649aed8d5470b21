/** Runs `load/run.ts` end to end with real k6: checks exit codes, reports and sums. */

import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findK6 } from '../../load/k6.ts'
import { rightAnswers } from './right-answer.ts'
import { haveK6, type LoadRun, runLoad } from './run-load.ts'

setDefaultTimeout(60_000) // generous: other tests may occupy the machine for seconds
const closedPort = 'http://127.0.0.1:1'
const answers = rightAnswers(1, 'small')
const servers: Bun.Server<undefined>[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)))
})

/**
 * A service with /health, /version, /metrics and /payload.
 *
 * @param override replaces the correct response to the nth request; null keeps it
 * @param miscount added to its counter
 */
function startService(override: (nth: number) => Response | null | Promise<null> = () => null, miscount = 0) {
  let served = 0
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/health': Response.json({ status: 'ok' }),
      '/version': Response.json({ version: '1.2.3', revision: 'abc' }),
      '/metrics': () =>
        new Response(
          `api_http_requests_total{route="/payload",status="200"} ${served === 0 ? 0 : served + miscount}\napi_http_request_duration_seconds_sum{route="/payload"} ${served / 1_000}\n`,
        ),
      '/payload': async (request) => {
        const nth = ++served
        const correct = answers.get(await request.text())
        if (!correct) return new Response('a payload with another seed', { status: 400 })
        return (await override(nth)) ?? Response.json(correct, { headers: { 'X-Served-By': 'api-1' } })
      },
    },
    fetch: () => new Response(null, { status: 404 }),
  })
  servers.push(server)
  return `http://127.0.0.1:${server.port}`
}

function expectSumsToHold({ report, records }: LoadRun) {
  if (!report) throw new Error('no report')
  const { sent, answered, refused, lost } = report.summary
  expect(sent).toBe(answered + refused + lost)
  expect(records).toHaveLength(sent)
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  expect(sum(report.timeline.map((bucket) => bucket.answered))).toBe(answered)
  expect(sum(report.phases.map((phase) => phase.answered + phase.refused + phase.lost))).toBe(sent)
  expect(sum(report.reasons.map(({ count }) => count))).toBe(refused + lost)
}

describe.skipIf(!haveK6())('load/run.ts', () => {
  test('exits 0 when everything is answered: prints the known lines in order, both sides agree', async () => {
    const run = await runLoad('load', { SERVICE_URL: startService(), N_REQUESTS: '300', CONCURRENCY: '3' })
    expect(run.stderr).toBe('')
    expect(run.exitCode).toBe(0)
    const s = String.raw`\d+\.\d+s`
    expect(run.stdout).toMatch(
      new RegExp(
        [
          'Sending load\\.\\.\\.',
          `Sent 300 requests in ${s}`,
          'Fatal errors: 0',
          'Connection errors \\(pre-flight\\): 0',
          `Response time: min=${s}, max=${s}, avg=${s}, p95=${s}, p99=${s}`,
          '',
          '--- Per-Pod /payload Metrics Report \\(CONCURRENCY=3\\) ---',
          `Pod: api-1  \\| /payload Requests: 300 \\| Errors: 0 \\| Error Rate: 0\\.00% \\| Avg /payload Latency: 0\\.001000s \\| Client saw: 300`,
          'Sum over instances: 300 by /metrics, 300 by X-Served-By; answered 300: they agree',
          '',
          'Identity: sent 300 = answered 300 \\+ refused 0 \\+ lost 0',
        ].join('\n'),
      ),
    )
    expectSumsToHold(run)
    expect(run.html).not.toMatch(/(src|href)=|@import|url\(/)
    expect(run.junit).toContain('failures="0" skipped="0"')
  })

  test('exits 1 with the reason when the service is unreachable', async () => {
    const run = await runLoad('load', { SERVICE_URL: closedPort })
    expect(run.stderr).toStartWith(`Service unreachable: ${closedPort}/health: `)
    expect(run.exitCode).toBe(1)
    expect(run.report).toBeNull()
  })

  test('exits 1 when the service is not healthy', async () => {
    const run = await runLoad('load', { SERVICE_URL: startService(), HEALTH_ENDPOINT: '/nothing' })
    expect(run.stderr).toMatch(/^Service not healthy: .*\/nothing returned 404/)
    expect(run.exitCode).toBe(1)
  })

  test('exits 1 when every connection is refused', async () => {
    const run = await runLoad('load', {
      SERVICE_URL: startService(),
      PAYLOAD_ENDPOINT: `${closedPort}/payload`,
      N_REQUESTS: '5',
    })
    expect(run.report?.summary).toMatchObject({ sent: 5, answered: 0, refused: 5, lost: 0 })
    expect(run.exitCode).toBe(1)
    expectSumsToHold(run)
  })

  test('exits 1 and sends nothing when settings or profile are invalid', async () => {
    const settings = await runLoad('load', { N_REQUESTS: 'x', SIZE: 'y' })
    expect(settings.stderr).toMatch(/^N_REQUESTS=x: .*\nSIZE=y: .*/)
    expect(settings.exitCode).toBe(1)
    const profile = await runLoad('lod', {})
    expect(profile.stderr).toBe(
      'unknown profile lod: must be one of load, smoke, stress, spike, soak, rollout, large\n',
    )
    expect(profile.exitCode).toBe(1)
  })

  test('exits 2 on a single loss, and names it in the report and the JUnit file', async () => {
    const service = startService((nth) => (nth === 7 ? new Response('going away', { status: 503 }) : null))
    const run = await runLoad('load', { SERVICE_URL: service, N_REQUESTS: '50' })
    expect(run.exitCode).toBe(2)
    expect(run.report?.summary).toMatchObject({ sent: 50, answered: 49, refused: 0, lost: 1 })
    expect(run.stdout).toContain('Fatal errors: 1\n')
    expect(run.stdout).toContain('1 × lost: status 503')
    expect(run.stdout).toContain('FAILED: 1 of 50 requests lost')
    expect(run.junit).toContain('failures="1"')
    expectSumsToHold(run)
  })

  test('exits 2 when a stopped service refuses more requests than allowed', async () => {
    const settings = { N_REQUESTS: '100', CONCURRENCY: '1', CONNECTION: 'no-reuse' }
    const stopping = () =>
      startService((nth) => {
        if (nth === 20) for (const server of servers) void server.stop()
        return null
      })
    const gone = await runLoad('load', { ...settings, SERVICE_URL: stopping() })
    expect(gone.report?.summary).toMatchObject({ answered: 20, refused: 80, lost: 0 })
    expect(gone.stdout).toContain(
      'FAILED: 80 of 100 requests refused before sending, more than REFUSED_MAX=0',
    )
    expect(gone.stdout).toContain(': NEEDS IMPROVEMENT')
    expect(gone.exitCode).toBe(2)
    servers.length = 0
    const allowed = await runLoad('load', { ...settings, SERVICE_URL: stopping(), REFUSED_MAX: '80' })
    expect(allowed.report?.summary).toMatchObject({ answered: 20, refused: 80, lost: 0 })
    expect(allowed.exitCode).toBe(0)
  })

  test('writes each run to its own folder without REPORT_DIR, with the version of the service', async () => {
    const service = startService()
    const run = await runLoad('smoke', { SERVICE_URL: service, N_REQUESTS: '3', REPORT_DIR: '' })
    expect(run.stdout).toMatch(/\/reports\/load\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-smoke\/report\.html\n$/)
    expect(run.stdout).toContain('Service: 1.2.3 (abc)\n')
    expect(run.exitCode).toBe(0)
  })

  test('exits 2 when a slow response crosses a threshold and nothing is lost', async () => {
    const service = startService((nth) => (nth === 2 ? Bun.sleep(1_100).then(() => null) : null))
    const run = await runLoad('smoke', { SERVICE_URL: service, N_REQUESTS: '3' })
    expect(run.report?.summary).toMatchObject({ answered: 3, lost: 0 })
    expect(run.report?.summary.slow).toBeGreaterThanOrEqual(1)
    expect(run.stdout).toContain('FAILED: threshold crossed: answers_slow count==0')
    expect(run.exitCode).toBe(2)
  })

  test('reports a wrong sum, and fails the run only with REQUIRE_SUM=1', async () => {
    const settings = { SERVICE_URL: startService(undefined, 4), N_REQUESTS: '20' }
    const lenient = await runLoad('load', settings)
    expect(lenient.stdout).toContain('answered 20: they DIFFER by +4')
    expect(lenient.exitCode).toBe(0)
    const strict = await runLoad('load', {
      ...settings,
      SERVICE_URL: startService(undefined, 4),
      REQUIRE_SUM: '1',
    })
    expect(strict.exitCode).toBe(2)
  })

  test.each(['reuse', 'no-reuse', 'mixed'])(
    'reports phases and marks of a constant arrival rate with CONNECTION=%s',
    async (connection) => {
      const directory = await mkdtemp(join(tmpdir(), 'events-'))
      const events = join(directory, 'events')
      const service = startService((nth) =>
        nth === 40 ? Bun.write(events, `${Date.now()} roll <api-1>\n`).then(() => null) : null,
      )
      try {
        const run = await runLoad('rollout', {
          SERVICE_URL: service,
          RATE: '100',
          DURATION: '1s',
          CONNECTION: connection,
          EVENTS_FILE: events,
        })
        expect(run.report?.summary).toMatchObject({ refused: 0, lost: 0 })
        expect(run.report?.phases.map(({ label }) => label)).toEqual(['before', 'roll <api-1>'])
        expect(run.report?.phases.every(({ answered }) => answered > 0)).toBe(true)
        expect(run.html).toContain('>roll &lt;api-1&gt;</text>')
        expectSumsToHold(run)
      } finally {
        await rm(directory, { recursive: true })
      }
    },
  )

  test('reports the times of big and small payloads separately', async () => {
    const medium = rightAnswers(1, 'medium')
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        const body = await request.text()
        return Response.json(answers.get(body) ?? medium.get(body) ?? {})
      },
    })
    servers.push(server)
    const run = await runLoad('large', {
      SERVICE_URL: `http://127.0.0.1:${server.port}`,
      SIZE: 'medium',
      RATE: '20',
      DURATION: '1s',
    })
    expect(Object.keys(run.report?.timesBySize ?? {}).sort()).toEqual(['medium', 'small'])
    expect(run.stdout).toMatch(/ {2}medium: \d+ responses, median=/)
    expect(run.report?.summary).toMatchObject({ refused: 0, lost: 0 })
    expectSumsToHold(run)
  })
})

describe('findK6', () => {
  test('prefers K6, then the PATH, then .tools/bin, and returns null if k6 is absent', async () => {
    const root = await mkdtemp(join(tmpdir(), 'k6-'))
    try {
      expect(findK6({ PATH: '/nowhere' }, root)).toBeNull()
      await Bun.write(join(root, '.tools/bin/k6'), '')
      expect(findK6({ PATH: '/nowhere' }, root)).toBe(join(root, '.tools/bin/k6'))
      await Bun.write(join(root, 'path/k6'), '#!/bin/sh\n')
      await chmod(join(root, 'path/k6'), 0o755)
      expect(findK6({ PATH: join(root, 'path') }, root)).toBe(join(root, 'path/k6'))
      expect(findK6({ K6: '/opt/k6', PATH: join(root, 'path') }, root)).toBe('/opt/k6')
    } finally {
      await rm(root, { recursive: true })
    }
  })
})
