import { z } from 'zod'
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import { type ProblemCode, problemType, statusOf, titleOf } from '../problem.ts'

const problemSchema = z
  .strictObject({
    type: z.string().describe('Names the kind of problem'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('What was wrong this time'),
    code: z.string().describe('Stable, for machines'),
    request_id: z.string().describe('Find it in the log by this'),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().describe('JSON pointer to the place'),
          detail: z.string(),
          code: z.string(),
        }),
      )
      .max(20)
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' })

/**
 * The error responses of an operation, for its entry in the OpenAPI document. Every operation can also
 * answer 400 for its Host header and 500.
 */
export function problemResponses(...codes: readonly ProblemCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(['bad-host', ...codes, 'internal-error'] as const, (code) => statusOf(code))
  const responses: ZodOpenApiResponsesObject = {}
  for (const [status, same] of byStatus) {
    const response: ZodOpenApiResponseObject = {
      description: same.map(titleOf).join('; or: '),
      content: { [problemType]: { schema: problemSchema } },
    }
    if (status === 401) response.headers = { 'WWW-Authenticate': { schema: { type: 'string' } } }
    if (status === 503 || status === 429)
      response.headers = { 'Retry-After': { schema: { type: 'integer', minimum: 0 } } }
    responses[`${status}` as '500'] = response
  }
  return responses
}
