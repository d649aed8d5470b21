import { type Analysis, analyzeTaskPayload, type PayloadLimits, taskPayloadSchema } from './payload.ts'

/** The schema rejects a task's payload. A retry would fail in the same way. */
export class InvalidTaskPayload extends Error {
  override readonly name = 'InvalidTaskPayload'
  readonly code = 'invalid-task-payload'
}

/**
 * Creates a function that takes the JSON text of a task's payload and returns the JSON text of its result: the summary
 * of POST /payload, or only the text analysis if the payload is a text.
 *
 * The function throws InvalidTaskPayload for a payload beyond the limits, which is possible if the instance that
 * accepted the task has other limits.
 *
 * @example createTaskAnalyzer(limits)('"a b"') // '{"text_analysis":{"word_count":2,…}}'
 */
export function createTaskAnalyzer(limits: PayloadLimits): (payloadJson: string) => string {
  let schema: ReturnType<typeof taskPayloadSchema> | undefined
  return (payloadJson) => {
    schema ??= taskPayloadSchema(limits)
    const payload = schema.safeParse(JSON.parse(payloadJson))
    if (!payload.success) {
      const [issue] = payload.error.issues
      throw new InvalidTaskPayload(`${['payload', ...(issue?.path ?? [])].join('/')} ${issue?.message}`)
    }
    const start = performance.now()
    const analysis: Analysis | Pick<Analysis, 'text_analysis'> = analyzeTaskPayload(payload.data)
    if (!('numeric_analysis' in analysis)) return JSON.stringify(analysis)
    const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
    return JSON.stringify({ ...analysis, processing_time_ms })
  }
}
