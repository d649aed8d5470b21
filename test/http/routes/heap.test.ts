import { describe, expect, test } from 'bun:test'
import { createApp, createManagementApp } from '../../../src/http/app.ts'
import type { TakeHeapSnapshot } from '../../../src/http/routes/heap.ts'
import { adminDeps } from '../../support/admin-deps.ts'
import { appDeps } from '../../support/app-deps.ts'
import { expectProblem } from '../../support/problems.ts'

/** Admin routes of a process with the pid 42, whose snapshot has three parts. */
function createHeapApp(
  takeHeapSnapshot: TakeHeapSnapshot = async (pid = 42) =>
    pid === 42 ? { pid, body: createSnapshot() } : undefined,
) {
  return createManagementApp(appDeps({ admin: adminDeps({ canInjectFaults: false, takeHeapSnapshot }) }))
}

const post = { method: 'POST' }

function createSnapshot(): ReadableStream<Uint8Array> {
  const parts = ['one ', 'two ', 'three'].values()
  return new ReadableStream({
    pull(controller) {
      const { value, done } = parts.next()
      if (done) controller.close()
      else controller.enqueue(new TextEncoder().encode(value))
    },
  })
}

describe('a heap snapshot', () => {
  test('is a file to save', async () => {
    const response = await createHeapApp().request('/debug/heap', post)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="42-\d+\.heapsnapshot"$/,
    )
    expect(await response.text()).toBe('one two three')
  })

  test('is of the requested process; another pid is not found', async () => {
    const app = createHeapApp()
    expect(await (await app.request('/debug/heap?pid=42', post)).text()).toBe('one two three')
    await expectProblem(await app.request('/debug/heap?pid=43', post), 404, 'not-found')
    await expectProblem(await app.request('/debug/heap?pid=x', post), 400, 'invalid-query')
    await expectProblem(await app.request('/debug/heap?id=42', post), 400, 'invalid-query')
  })

  test('is taken one at a time, until it is read or its reader is gone', async () => {
    const app = createHeapApp()
    const first = await app.request('/debug/heap', post)
    const refused = await app.request('/debug/heap', post)
    expect(refused.headers.get('retry-after')).toBe('10')
    await expectProblem(refused, 503, 'overloaded')
    await first.text()
    const second = await app.request('/debug/heap', post)
    await second.body?.cancel()
    expect(await (await app.request('/debug/heap', post)).text()).toBe('one two three')
  })

  test('is not taken by a link or an image: GET and HEAD are 405', async () => {
    let taken = 0
    const app = createHeapApp(async () => {
      taken++
      return { pid: 42, body: createSnapshot() }
    })
    for (const method of ['GET', 'HEAD']) {
      const response = await app.fetch(new Request('http://localhost/debug/heap', { method }))
      expect({ method, allow: response.headers.get('allow') }).toEqual({ method, allow: 'POST' })
      await expectProblem(response, 405, 'method-not-allowed')
    }
    expect(taken).toBe(0)
  })

  test('that fails is a 500 and does not block the next one', async () => {
    let failures = 1
    const app = createHeapApp(async () => {
      if (failures-- > 0) throw new Error('no room')
      return { pid: 42, body: createSnapshot() }
    })
    await expectProblem(await app.request('/debug/heap', post), 500, 'internal-error')
    expect((await app.request('/debug/heap', post)).status).toBe(200)
  })

  test('has its own route label, though it is below the paths of debug routes', async () => {
    const takeHeapSnapshot = async () => ({ pid: 42, body: createSnapshot() })
    const admin = adminDeps({ takeHeapSnapshot })
    for (const debugRoutes of [true, false]) {
      const { request } = createApp(appDeps({ admin, debugRoutes }))
      await (await request('/debug/heap', post)).text()
      expect(await (await request('/metrics')).text()).toContain(
        'api_http_requests_total{method="POST",route="/debug/heap",status="200"} 1',
      )
    }
  })
})
