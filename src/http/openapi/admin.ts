import { z } from 'zod'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
import { faultsSchema, logLevelSchema } from '../../runtime-settings/schemas.ts'
import { heapQuery } from '../routes/heap.ts'
import { problemResponses } from './problem.ts'

export { faultsSchema }

export const logLevelBody = z.strictObject({ level: logLevelSchema }).meta({ id: 'LogLevel' })
const enabledBody = z
  .strictObject({ enabled: z.boolean().describe('Whether `/ready` may say yes') })
  .meta({ id: 'Enabled' })

/** The entries of what an operator changes in the OpenAPI document. */
export const adminDocs = {
  enable: docs('enable', 'Puts the instance back into rotation', enabledBody),
  disable: docs(
    'disable',
    'Takes the instance out of rotation: `/ready` says no, all else goes on',
    enabledBody,
  ),
  showLogLevel: docs('showLogLevel', 'The least level that is written', logLevelBody),
  setLogLevel: docs('setLogLevel', 'Changes it, until the next start', logLevelBody, logLevelBody),
  showFaults: docs('showFaults', 'What goes wrong on purpose', faultsSchema),
  setFaults: docs('setFaults', 'Sets it; what is left out is off', faultsSchema, faultsSchema),
  clearFaults: docs('clearFaults', 'Nothing goes wrong on purpose any more', faultsSchema),
  heap: {
    operationId: 'heap',
    summary: 'A heap snapshot for the memory panel of Chrome; pauses the process while it is taken',
    tags: ['admin'],
    requestParams: { query: heapQuery() },
    responses: {
      '200': {
        description: 'A .heapsnapshot file',
        content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
      },
      ...problemResponses('invalid-query', 'not-found', 'overloaded'),
    },
  },
} satisfies Record<string, ZodOpenApiOperationObject>

function docs(operationId: string, summary: string, answer: z.ZodType, body?: z.ZodType) {
  return {
    operationId,
    summary,
    tags: ['admin'],
    ...(body !== undefined && { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      '200': { description: 'As it is now', content: { 'application/json': { schema: answer } } },
      ...(body === undefined
        ? problemResponses()
        : problemResponses(
            'malformed-json',
            'not-utf-8',
            'invalid-input',
            'body-not-received',
            'body-too-large',
            'not-json',
          )),
    },
  }
}
