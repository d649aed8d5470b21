import type { PayloadLimits } from '../analysis/payload.ts'
import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import { JobFailed } from '../analysis/pool/thread-pool.ts'
import { createTaskAnalyzer, InvalidTaskPayload } from '../analysis/task-analyzer.ts'
import { type TaskHandler, UnrecoverableTask } from './task-queue.ts'

/** Longer payloads, in characters, are analyzed on a thread; shorter ones hold up the event loop only briefly. */
const maxLocalLength = 64 * 1024

/**
 * Creates the handler of tasks. The result is what POST /payload answers. A large payload is analyzed on a thread, so
 * that leases are renewed and probes are answered meanwhile.
 */
export function createAnalysisHandler(
  limits: PayloadLimits,
  pool: Pick<AnalysisPool, 'runTask'>,
): TaskHandler {
  const analyzeTask = createTaskAnalyzer(limits)
  return async ({ payload }, { signal }) => {
    try {
      return payload.length <= maxLocalLength ? analyzeTask(payload) : await pool.runTask(payload, signal)
    } catch (error) {
      throw isInvalidPayload(error) ? new UnrecoverableTask(error.message, { cause: error }) : error
    }
  }
}

/** The same error, thrown here or reported by a thread. */
function isInvalidPayload(error: unknown): error is Error {
  const isReported = error instanceof JobFailed && error.errorName === 'InvalidTaskPayload'
  return isReported || error instanceof InvalidTaskPayload
}
