import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { z } from 'zod'
import type { Env } from '../env.ts'
import { ProblemError } from '../problem.ts'
import { invalidQuery } from '../validate.ts'

/** The memory of one process at one moment, in the format of Chrome's developer tools. */
export interface HeapSnapshot {
  readonly pid: number
  readonly body: ReadableStream<Uint8Array>
}

/**
 * Takes a heap snapshot of this process, or of another one that it manages.
 *
 * @param pid which process. Default: this one, or any.
 * @returns undefined when there is no such process here
 */
export type TakeHeapSnapshot = (pid: number | undefined) => Promise<HeapSnapshot | undefined>

export const createHeapQuery = () =>
  z.strictObject({
    pid: z.coerce
      .number('must be a number')
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .optional(),
  })

/**
 * POST /debug/heap: a heap snapshot, one at a time: it needs its own memory until it has been read. No GET, because a
 * link, an image or a crawler must not stop the process for seconds.
 */
export function heapRoutes(takeSnapshot: TakeHeapSnapshot) {
  let isBusy = false
  const release = (): void => {
    isBusy = false
  }
  return new Hono<Env>().post(
    '/debug/heap',
    zValidator('query', z.lazy(createHeapQuery), invalidQuery),
    async (c) => {
      if (isBusy)
        throw new ProblemError({
          code: 'overloaded',
          detail: 'Another heap snapshot is in progress.',
          headers: { 'retry-after': '10' },
        })
      isBusy = true
      let response: Response | undefined
      try {
        const snapshot = await takeSnapshot(c.req.valid('query').pid)
        // Already answered at its deadline: the snapshot has no reader.
        if (c.get('request').signal.aborted) await snapshot?.body.cancel()
        else response = snapshot && download(snapshot, release)
      } finally {
        if (response === undefined) release()
      }
      if (response === undefined)
        throw new ProblemError({ code: 'not-found', detail: 'There is no process with this pid here.' })
      return response
    },
  )
}

/** @param onEnd called once the client has all of it, or is gone */
function download({ pid, body }: HeapSnapshot, onEnd: () => void): Response {
  const reader = body.getReader()
  const watched = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await reader.read().catch((error: unknown) => {
        onEnd()
        throw error
      })
      if (!done) return controller.enqueue(value)
      onEnd()
      controller.close()
    },
    async cancel(reason) {
      onEnd()
      await reader.cancel(reason)
    },
  })
  return new Response(watched, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${pid}-${Date.now()}.heapsnapshot"`,
    },
  })
}
