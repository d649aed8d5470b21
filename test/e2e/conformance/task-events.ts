import { expect } from 'bun:test'
import { ask, credentials, fetchOptions, urlOf, waitFor } from './service.ts'

/** A task in a response of the service. */
export interface Task {
  readonly id: string
  readonly status: 'pending' | 'processing' | 'completed' | 'failed'
  readonly attempts: number
  readonly created_at: string
  readonly updated_at: string
  readonly payload: unknown
  readonly result?: { readonly numeric_analysis?: { readonly mean: number }; readonly text_analysis: object }
  readonly error?: string
}

/** Timeout of a task's wait and run, in ms. Other tasks may come first. */
const firstDeadlineMs = 60_000
/**
 * The timeout after one task did not end in time, in ms: if nothing runs tasks, a minute for each would take too long.
 */
const laterDeadlineMs = 5_000
let taskDeadlineMs = firstDeadlineMs

/** The present state of a task. */
export async function readTask(id: string): Promise<Task> {
  const answer = await ask('GET', `/tasks/${id}`)
  expect(answer.status).toBe(200)
  return answer.json<{ task: Task }>().task
}

/**
 * Follows the events of a task until it ends. Reconnects like a browser when the stream ends earlier.
 *
 * @returns the state in each event, in order, ending with the final one
 */
export async function watchTask(id: string): Promise<Task[]> {
  const waitedMs = taskDeadlineMs
  const deadline = AbortSignal.timeout(waitedMs)
  const states: Task[] = []
  for (;;) {
    try {
      const response = await fetch(urlOf(`/tasks/${id}/events`), {
        ...fetchOptions(deadline),
        headers: credentials(),
      })
      expect({ status: response.status, type: response.headers.get('content-type') }).toEqual({
        status: 200,
        type: 'text/event-stream',
      })
      const events = await response.text()
      for (const [, data = ''] of events.matchAll(/^event: task\ndata: (.*)$/gm))
        states.push(JSON.parse(data) as Task)
      const last = states.at(-1)
      if (last?.status === 'completed' || last?.status === 'failed') return states
      await waitFor(Number(/^retry: (\d+)$/m.exec(events)?.[1] ?? 1_000), deadline)
    } catch (error) {
      if (!deadline.aborted) throw error
      taskDeadlineMs = laterDeadlineMs
      const { status, attempts } = await readTask(id)
      throw new Error(
        `the task ${id} is ${status} (attempts: ${attempts}) after ${waitedMs} ms. ` +
          'If this service has no worker, set WORKER=off',
      )
    }
  }
}

/**
 * Waits until a task is completed.
 *
 * @throws Error if it fails or does not end in time
 */
export async function completion(id: string): Promise<Task> {
  const last = (await watchTask(id)).at(-1)
  expect({ status: last?.status, error: last?.error }).toEqual({ status: 'completed', error: undefined })
  return readTask(id)
}
