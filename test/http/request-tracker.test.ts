import { describe, expect, test } from 'bun:test'
import { RequestTracker } from '../../src/http/request-tracker.ts'
import { appDeps } from '../support/app-deps.ts'
import { until } from '../support/until.ts'

function begin(tracker: RequestTracker, method: string, id = '') {
  const url = 'http://tally.example/'
  return tracker.begin(new Request(url, { method, headers: { 'x-request-id': id } }), url)
}

/** A tracker with three requests in flight. */
function trackThree(timeoutMs: number) {
  const deps = appDeps()
  const tracker = new RequestTracker({ ...deps, timeoutMs })
  const [a, b, c] = ['a', 'b', 'c'].map((id) => begin(tracker, 'GET', id))
  if (a === undefined || b === undefined || c === undefined) throw new Error('three requests')
  return { tracker, deps, requests: { a, b, c }, [Symbol.dispose]: () => tracker.close() }
}

describe('the requests in flight', () => {
  test('are described from the oldest to the newest in any order of completion', () => {
    using tracked = trackThree(60_000)
    const { tracker, requests } = tracked
    expect(tracker.describe()).toEqual(['GET unmatched a', 'GET unmatched b', 'GET unmatched c'])
    tracker.finish(requests.b, new Response())
    expect(tracker.describe()).toEqual(['GET unmatched a', 'GET unmatched c'])
    expect(tracker.size).toBe(2)
    tracker.finish(requests.a, new Response())
    tracker.finish(requests.c, new Response())
    expect(tracker.describe()).toEqual([])
    expect(tracker.size).toBe(0)
  })

  test('time out at their deadline, the oldest first, and again until they finish', async () => {
    using tracked = trackThree(1)
    const { tracker, requests } = tracked
    const timedOut: string[] = []
    for (const [id, context] of Object.entries(requests))
      context.onAbort = () => {
        timedOut.push(id)
        if (id !== 'b') tracker.finish(context, new Response(null, { status: 503 }))
      }
    await until(() => timedOut.length >= 4)
    expect(timedOut.slice(0, 4)).toEqual(['a', 'b', 'c', 'b'])
    expect(tracker.describe()).toEqual(['GET unmatched b'])
  })

  test('are counted once, however often they finish', async () => {
    using tracked = trackThree(60_000)
    const { tracker, requests, deps } = tracked
    for (let i = 0; i < 3; i++) tracker.finish(requests.a, new Response())
    expect(await deps.metrics.registry.getSingleMetricAsString('api_http_requests_total')).toContain(
      '{method="GET",route="unmatched",status="200"} 1',
    )
  })

  test('with an unknown method share one label', () => {
    using tracked = trackThree(60_000)
    const context = begin(tracked.tracker, 'PROPFIND')
    expect(context.method).toBe('other')
  })
})
