import { z } from 'zod'
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import { type ProblemCode, problemStatus, problemTitle, problemType } from '../problem.ts'

const problemSchema = z
  .strictObject({
    type: z.string().describe('Identifies the kind of problem'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('Explains this occurrence'),
    code: z.string().describe('Stable code for programs'),
    request_id: z.string().describe('Identifies the request in the logs'),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().describe('JSON pointer to the invalid value'),
          detail: z.string(),
          code: z.string(),
        }),
      )
      .max(20)
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' })

/**
 * The error responses of an operation. Every operation may also answer 400 for its Host header, and 500.
 */
export function problemResponses(...codes: readonly ProblemCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(['invalid-host', ...codes, 'internal-error'] as const, (code) =>
    problemStatus(code),
  )
  const responses: ZodOpenApiResponsesObject = {}
  for (const [status, codesOfStatus] of byStatus) {
    const response: ZodOpenApiResponseObject = {
      description: codesOfStatus.map(problemTitle).join('; or: '),
      content: { [problemType]: { schema: problemSchema } },
    }
    if (status === 401) response.headers = { 'WWW-Authenticate': { schema: { type: 'string' } } }
    if (status === 503 || status === 429)
      response.headers = { 'Retry-After': { schema: { type: 'integer', minimum: 0 } } }
    responses[`${status}` as '500'] = response
  }
  return responses
}
