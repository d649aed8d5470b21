import { z } from 'zod'
import { isPayload, isPayloadText, taskPayloadSchema } from '../../analysis/payload.ts'
import { summarySchema, textAnalysisSchema } from '../../analysis/summary-schemas.ts'
import { createTaskAnalyzer, InvalidTaskPayload } from '../../analysis/task-analyzer.ts'
import { JobFailed } from '../../threads/thread-pool.ts'
import { UnrecoverableTask } from '../task-queue.ts'
import type { TaskKind } from './kind.ts'

/** Longer payloads, in characters, are analyzed on a thread; shorter ones hold up the event loop only briefly. */
const maxLocalLength = 64 * 1024

/** The work of POST /payload. The result is its response, or only the text analysis when the payload is a text. */
export const analysis = {
  name: 'analysis',
  description: 'Statistics of numbers and a text, or of a text alone.',
  timeoutMs: 60 * 60_000,
  payloadSchema: taskPayloadSchema,
  isPayload: (payload, limits) =>
    typeof payload === 'string' ? isPayloadText(payload, limits.maxTextLength) : isPayload(payload, limits),
  resultSchema: () =>
    z
      .union([summarySchema, z.strictObject({ text_analysis: textAnalysisSchema })])
      .meta({ description: 'The response of /payload; for text alone its analysis' }),
  // A large payload is analyzed on a thread, so that leases are renewed and probes are answered meanwhile.
  createHandler({ limits, threads }) {
    const analyzeTask = createTaskAnalyzer(limits)
    return async ({ payload }, { signal }) => {
      try {
        return payload.length <= maxLocalLength
          ? analyzeTask(payload)
          : await threads.runTask(payload, signal)
      } catch (error) {
        throw isInvalidPayload(error) ? new UnrecoverableTask(error.message, { cause: error }) : error
      }
    }
  },
} as const satisfies TaskKind

/** The same error, thrown here or reported by a thread. */
function isInvalidPayload(error: unknown): error is Error {
  const isReported = error instanceof JobFailed && error.errorName === 'InvalidTaskPayload'
  return isReported || error instanceof InvalidTaskPayload
}
