import { analyzeWork, type PayloadLimits, workSchema } from '../analysis/payload.ts'
import { JobFailed } from '../analysis/pool/thread-pool.ts'
import { type TaskHandler, UnrecoverableTask } from './task-queue.ts'

/** Characters of a payload that is analysed on the spot: it takes about a millisecond. */
const hereMax = 64 * 1024

/** The threads that work on large payloads of tasks. */
export interface TaskThreads {
  /**
   * @param payload a task's payload as JSON text
   * @returns the JSON text of its result
   * @throws JobFailed, ThreadDied, or the signal's reason when it aborts
   */
  runTask(payload: string, signal: AbortSignal): Promise<string>
}

/**
 * The handler of tasks: what `/payload` would have answered. A large payload is analysed on a thread of its own, so
 * that leases are renewed and probes are answered meanwhile.
 */
export function analysisHandler(limits: PayloadLimits, threads: TaskThreads): TaskHandler {
  const resultHere = analysisOf(limits)
  return async ({ payload }, { signal }) => {
    if (payload.length <= hereMax) return resultHere(payload)
    try {
      return await threads.runTask(payload, signal)
    } catch (error) {
      if (error instanceof JobFailed && error.errorName === UnrecoverableTask.name)
        throw new UnrecoverableTask(error.message)
      throw error
    }
  }
}

/**
 * Makes the function from the JSON text of a task's payload to the JSON text of its result.
 *
 * The function throws UnrecoverableTask for a payload beyond the limits: what accepted it had others.
 *
 * @example analysisOf(limits)('"a b"') // '{"text_analysis":{"word_count":2,…}}'
 */
export function analysisOf(limits: PayloadLimits): (payload: string) => string {
  let schema: ReturnType<typeof workSchema> | undefined
  return (payload) => {
    schema ??= workSchema(limits)
    const work = schema.safeParse(JSON.parse(payload))
    if (!work.success) {
      const [issue] = work.error.issues
      throw new UnrecoverableTask(`${['payload', ...(issue?.path ?? [])].join('/')} ${issue?.message}`)
    }
    const start = performance.now()
    const analysis = analyzeWork(work.data)
    if (!('numeric_analysis' in analysis)) return JSON.stringify(analysis)
    const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
    return JSON.stringify({ ...analysis, processing_time_ms })
  }
}
