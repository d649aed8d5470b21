import { describe, expect, test } from 'bun:test'
import { createOperationsApp } from '../../../src/http/app.ts'
import type { TakeHeapSnapshot } from '../../../src/http/routes/heap.ts'
import { appOptions } from '../../support/app-options.ts'
import { liveSettings } from '../../support/live.ts'
import { expectProblem } from '../../support/problems.ts'
import { request } from '../../support/requests.ts'

/** Admin routes of a process with the pid 42, whose snapshot is three parts long. */
function start(
  take: TakeHeapSnapshot = async (pid = 42) => (pid === 42 ? { pid, body: parts() } : undefined),
) {
  const app = createOperationsApp(
    appOptions({ admin: { live: liveSettings(), injectsFaults: false, takeHeapSnapshot: take } }),
  )
  return async (path = '/debug/heap'): Promise<Response> => await app.fetch(request(path))
}

function parts(): ReadableStream<Uint8Array> {
  const left = ['one ', 'two ', 'three'].values()
  return new ReadableStream({
    pull(controller) {
      const { value, done } = left.next()
      if (done) controller.close()
      else controller.enqueue(new TextEncoder().encode(value))
    },
  })
}

describe('a heap snapshot', () => {
  test('is a file to save', async () => {
    const response = await start()()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="42-\d+\.heapsnapshot"$/,
    )
    expect(await response.text()).toBe('one two three')
  })

  test('is of the process that is asked for, or of none', async () => {
    const ask = start()
    expect(await (await ask('/debug/heap?pid=42')).text()).toBe('one two three')
    await expectProblem(await ask('/debug/heap?pid=43'), 404, 'not-found')
    await expectProblem(await ask('/debug/heap?pid=x'), 400, 'invalid-query')
    await expectProblem(await ask('/debug/heap?id=42'), 400, 'invalid-query')
  })

  test('is taken one at a time: the next when this one is read, or its reader gone', async () => {
    const ask = start()
    const first = await ask()
    const problem = await ask()
    expect(problem.headers.get('retry-after')).toBe('10')
    await expectProblem(problem, 503, 'overloaded')
    await first.text()
    const second = await ask()
    await second.body?.cancel()
    expect(await (await ask()).text()).toBe('one two three')
  })

  test('that fails is a 500, and no obstacle to the next', async () => {
    let failures = 1
    const ask = start(async () => {
      if (failures-- > 0) throw new Error('no room')
      return { pid: 42, body: parts() }
    })
    await expectProblem(await ask(), 500, 'internal-error')
    expect((await ask()).status).toBe(200)
  })
})
