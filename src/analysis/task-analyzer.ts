import { type Analysis, analyzeTaskPayload, type PayloadLimits, taskPayloadSchema } from './payload.ts'

/** A task's payload is not what the schema accepts. Another attempt would fail in the same way. */
export class InvalidTaskPayload extends Error {
  override readonly name = 'InvalidTaskPayload'
  readonly code = 'invalid-task-payload'
}

/**
 * Creates the function from the JSON text of a task's payload to the JSON text of its result: what POST /payload
 * answers, or the text analysis alone for a payload that is a text.
 *
 * The function throws InvalidTaskPayload for a payload beyond the limits: the instance that accepted the task may
 * have had other limits.
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
