import { describe, expect, test } from 'bun:test'
import { ask, send, service, settings } from './service.ts'
import { testUnless } from './test-unless.ts'

interface Health {
  readonly status: string
  readonly service: string
  readonly version: string
  readonly timestamp: string
}

interface Ready {
  readonly status: string
  readonly reason?: string
  readonly checks: Readonly<Record<string, string>>
}

describe('health', () => {
  for (const path of ['/health', '/healthz', '/livez'])
    test(`GET ${path} responds 200 with status ok, the service, its version and a timestamp`, async () => {
      const { status, headers, ...answer } = await ask('GET', path)
      expect({ path, status }).toEqual({ path, status: 200 })
      expect(headers.get('content-type')).toStartWith('application/json')
      const health = answer.json<Health>()
      expect(health.status).toBe('ok')
      expect(health.service).not.toBe('')
      expect(health.version).not.toBe('')
      expect(health.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
      expect(Number.isNaN(Date.parse(health.timestamp))).toBe(false)
    })

  test('GET /health names the version that /version and the OpenAPI document name', async () => {
    const [health, version] = [await ask('GET', '/health'), await ask('GET', '/version')]
    const build = version.json<{ service: string; version: string; revision: string; runtime: string }>()
    expect(version.status).toBe(200)
    expect(health.json<Health>()).toMatchObject({ service: build.service, version: build.version })
    expect(service.document.info.version).toBe(build.version)
    expect(build.revision).not.toBe('')
    expect(build.runtime).toStartWith('bun ')
  })
})

describe('readiness', () => {
  for (const path of ['/ready', '/readyz'])
    test(`GET ${path} responds 200 with status ready and the state of each dependency`, async () => {
      const { status, ...answer } = await ask('GET', path)
      const ready = answer.json<Ready>()
      expect({ path, status, body: ready.status, reason: ready.reason }).toEqual({
        path,
        status: 200,
        body: 'ready',
        reason: undefined,
      })
      for (const [name, state] of Object.entries(ready.checks))
        expect({ name, state }).toEqual({ name, state: 'ok' })
      expect(Object.keys(ready.checks)).toContain('store')
    })
})

describe('probes', () => {
  for (const path of ['/health', '/ready', '/version'])
    test(`GET ${path} requires no credentials`, async () => {
      const { status } = await ask('GET', path, { credentials: false })
      expect({ path, status }).toEqual({ path, status: 200 })
    })
})

describe('a separate worker', () => {
  const { workerUrl } = settings
  const missing = workerUrl === undefined ? 'WORKER_URL names none' : undefined

  testUnless(missing, 'responds 200 with status ok to GET /health', async () => {
    const answer = await send('GET', `${workerUrl}/health`)
    expect(answer.status).toBe(200)
    expect(answer.json<Health>().status).toBe('ok')
  })

  testUnless(missing, 'responds 200 to GET /ready while its queue is available', async () => {
    const answer = await send('GET', `${workerUrl}/ready`)
    expect(answer.status).toBe(200)
    expect(answer.json<Ready>()).toMatchObject({ status: 'ready', checks: { queue: 'ok' } })
  })
})
