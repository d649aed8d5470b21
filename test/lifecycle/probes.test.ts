import { describe, expect, test } from 'bun:test'
import { Hono } from 'hono'
import { type Check, createChecks, createLifecycle, liveness, readiness } from '../../src/lifecycle/index.ts'

const working = async () => {}
const broken = () => Promise.reject(new Error('refused'))

function service(checks: readonly Check[] = []) {
  const lifecycle = createLifecycle()
  const app = new Hono()
    .get('/health', liveness({ body: () => ({ service: 'example' }) }))
    .get('/ready', readiness(lifecycle, createChecks(checks)))
  const ask = async (path: string) => {
    const response = await app.request(path)
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: await response.json(),
    }
  }
  return { lifecycle, ask }
}

test('liveness is 200 from start to end, including the drain', async () => {
  const { lifecycle, ask } = service()
  const alive = { status: 200, retryAfter: null, body: { status: 'ok', service: 'example' } }
  expect(await ask('/health')).toEqual(alive)
  lifecycle.markReady()
  expect(await ask('/health')).toEqual(alive)
  await lifecycle.shutdown('SIGTERM')
  expect(await ask('/health')).toEqual(alive)
})

describe('readiness', () => {
  test('is 503 with the reason while starting, disabled or draining', async () => {
    const { lifecycle, ask } = service()
    const notReady = (reason: string) => ({
      status: 503,
      retryAfter: '1',
      body: { status: 'not ready', reason, checks: {} },
    })
    const ready = { status: 200, retryAfter: null, body: { status: 'ready', checks: {} } }
    expect(await ask('/ready')).toEqual(notReady('starting'))
    lifecycle.markReady()
    expect(await ask('/ready')).toEqual(ready)
    lifecycle.setEnabled(false)
    expect(await ask('/ready')).toEqual(notReady('disabled'))
    lifecycle.setEnabled(true)
    expect(await ask('/ready')).toEqual(ready)
    void lifecycle.shutdown('SIGTERM')
    expect(await ask('/ready')).toEqual(notReady('draining'))
  })

  test('shows a failing optional check and stays 200', async () => {
    const { lifecycle, ask } = service([
      { name: 'store', probe: broken },
      { name: 'queue', probe: working, required: true },
    ])
    lifecycle.markReady()
    expect(await ask('/ready')).toMatchObject({
      status: 200,
      body: { status: 'ready', checks: { store: 'failing', queue: 'ok' } },
    })
  })

  test('is 503 and names a failing required check', async () => {
    const { lifecycle, ask } = service([{ name: 'queue', probe: broken, required: true }])
    lifecycle.markReady()
    expect(await ask('/ready')).toMatchObject({
      status: 503,
      body: { status: 'not ready', reason: 'queue unavailable', checks: { queue: 'failing' } },
    })
  })

  test('runs no checks while draining, because dependencies may be closing', async () => {
    let probes = 0
    const probe = async () => {
      probes++
    }
    const { lifecycle, ask } = service([{ name: 'store', probe }])
    lifecycle.markReady()
    void lifecycle.shutdown('SIGTERM')
    expect(await ask('/ready')).toMatchObject({ status: 503, body: { reason: 'draining' } })
    expect(probes).toBe(0)
  })
})
