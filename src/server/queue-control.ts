import type { QueueCall, QueueCallResponse } from '../cluster/messages.ts'
import type { QueueControl } from '../http/routes/admin.ts'
import { type QueueStats, QueueUnavailable, type TaskQueue } from '../tasks/task-queue.ts'
import type { Log } from '../telemetry/log/log.ts'

/** Operations of an operator on the queue of this process, logged. */
export function localQueueControl(queue: TaskQueue, log: Log): QueueControl {
  return {
    stats: () => queue.stats(),
    async setPaused(paused) {
      await queue.setPaused(paused)
      log.warn(paused ? 'queue paused' : 'queue resumed')
    },
    async retryFailed() {
      const count = await queue.retryFailed()
      log.info('failed tasks retried', { count })
      return count
    },
  }
}

/** Answers the calls of another process to the queue of this one. */
export async function handleQueueCall(queue: QueueControl, call: QueueCall): Promise<QueueCallResponse> {
  try {
    switch (call.method) {
      case 'stats':
        return { value: await queue.stats() }
      case 'retry-failed':
        return { value: await queue.retryFailed() }
      case 'set-paused':
        return { value: await queue.setPaused(call.paused) }
    }
  } catch (error) {
    return {
      error: error instanceof Error ? error.message : String(error),
      isUnavailable: error instanceof QueueUnavailable,
    }
  }
}

/**
 * The queue of another process.
 *
 * @param send sends a call to a process; resolves with undefined when none responds
 */
export function remoteQueueControl(
  send: (call: QueueCall) => Promise<QueueCallResponse | undefined>,
): QueueControl {
  const call = async (request: QueueCall): Promise<unknown> => {
    const response = await send(request)
    if (response === undefined) throw new QueueUnavailable(1, { cause: 'no process responds' })
    if (!('error' in response)) return response.value
    if (response.isUnavailable) throw new QueueUnavailable(1, { cause: response.error })
    throw new Error(response.error)
  }
  return {
    stats: async () => (await call({ method: 'stats' })) as QueueStats,
    setPaused: async (paused) => void (await call({ method: 'set-paused', paused })),
    retryFailed: async () => (await call({ method: 'retry-failed' })) as number,
  }
}
