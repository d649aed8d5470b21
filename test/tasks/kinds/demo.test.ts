import { describe, expect, test } from 'bun:test'
import { demo } from '../../../src/tasks/kinds/demo.ts'
import { createTask } from '../../../src/tasks/task.ts'
import { UnrecoverableTask } from '../../../src/tasks/task-queue.ts'

const handle = demo.createHandler({
  limits: { maxNumbers: 1, maxTextLength: 1 },
  threads: { runTask: () => Promise.reject(new Error('no thread is needed')) },
})

function run(payload: unknown, { attempts = 1, signal = new AbortController().signal } = {}) {
  const task = createTask('a', { kind: 'demo', payload: JSON.stringify(payload) }, { createdAt: 0 })
  return handle({ ...task, attempts }, { signal }).then(JSON.parse)
}

describe('the demo kind', () => {
  test('sleeps for the requested time', async () => {
    const startedAt = performance.now()
    expect(await run({ seconds: 0.05 })).toEqual({ slept_seconds: 0.05 })
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(49)
  })

  test('ends at once when its run is aborted', async () => {
    const controller = new AbortController()
    // Longer than this test may take.
    const running = run({ seconds: 60 }, { signal: controller.signal })
    controller.abort()
    await expect(running).rejects.toThrow('abort')
  })

  test('fails on demand: once, always, or without another attempt', async () => {
    await expect(run({ seconds: 0, fail: 'first' })).rejects.toThrow('failed on demand')
    expect(await run({ seconds: 0, fail: 'first' }, { attempts: 2 })).toEqual({ slept_seconds: 0 })
    for (const attempts of [1, 2])
      await expect(run({ seconds: 0, fail: 'always' }, { attempts })).rejects.toThrow('failed on demand')
    await expect(run({ seconds: 0, fail: 'permanently' })).rejects.toBeInstanceOf(UnrecoverableTask)
  })

  test('a payload that another version accepted may be unrecoverable', async () => {
    const error = await run({ seconds: 61 }).catch((error: Error) => error)
    expect(error).toBeInstanceOf(UnrecoverableTask)
    expect(error.message).toBe('payload/seconds: must be at most 60')
  })
})
