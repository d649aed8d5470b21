import { z } from 'zod'
import type { Problems } from '../problem.ts'
import { withQuery } from '../query.ts'
import type { Route } from '../route.ts'

/** What one process held in memory at one moment, in the format of Chrome's developer tools. */
export interface HeapSnapshot {
  readonly pid: number
  readonly body: ReadableStream<Uint8Array>
}

/**
 * Takes a heap snapshot of this process, or of another that it speaks for.
 *
 * @param pid which process. Default: this one, or any.
 * @returns undefined when there is no such process here
 */
export type TakeHeapSnapshot = (pid: number | undefined) => Promise<HeapSnapshot | undefined>

export const heapQuery = () =>
  z.strictObject({
    pid: z.coerce
      .number('must be a number')
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .optional(),
  })

/** GET /debug/heap: a heap snapshot, one at a time: while it is taken and until it is read it takes room of its own. */
export function heapRoute(take: TakeHeapSnapshot, problems: Problems): Route {
  let taking = false
  const release = (): void => {
    taking = false
  }
  return {
    method: 'GET',
    path: '/debug/heap',
    kind: 'admin',
    handler: withQuery(heapQuery, problems, async (c, { pid }) => {
      if (taking)
        return problems.answer(c.env, {
          code: 'overloaded',
          detail: 'A heap snapshot is being taken already.',
          headers: { 'retry-after': '10' },
        })
      taking = true
      try {
        const snapshot = await take(pid)
        if (snapshot !== undefined) return download(snapshot, release)
      } catch (error) {
        release()
        throw error
      }
      release()
      return problems.answer(c.env, { code: 'not-found', detail: 'No process here has this pid.' })
    }),
    doc: async () => (await import('../openapi/admin.ts')).adminDocs.heap,
  }
}

/** @param onEnd called once when the client has all of it, or has gone. */
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
