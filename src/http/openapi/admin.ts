import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi'
import { createFaultsSchema, createLogLevelBody } from '../../runtime-settings/schemas.ts'
import { createQueueBody, createRetryQuery } from '../routes/admin.ts'
import { createHeapQuery } from '../routes/heap.ts'
import { problemResponses } from './problem.ts'

const logLevelBody = createLogLevelBody()
const faultsSchema = createFaultsSchema()
const queueBody = createQueueBody()
const enabledBody = z
  .strictObject({ enabled: z.boolean().describe('Whether `/ready` may answer 200') })
  .meta({ id: 'Enabled' })

/** The paths of `routes/admin.ts`. */
export const adminPaths: ZodOpenApiPathsObject = {
  '/ready/enable': { post: operation('enable', 'Put the instance back into rotation', enabledBody) },
  '/ready/disable': {
    post: operation(
      'disable',
      'Take the instance out of rotation: `/ready` answers 503, everything else continues',
      enabledBody,
    ),
  },
  '/admin/log-level': {
    get: operation('showLogLevel', 'Show the log level', logLevelBody),
    put: operation('setLogLevel', 'Change the log level until the next start', logLevelBody, logLevelBody),
  },
  '/admin/queue': {
    get: addQueueProblems(operation('showQueue', 'Show whether claiming tasks is paused', queueBody)),
    put: addQueueProblems(
      operation(
        'setQueue',
        'Pause or resume claiming tasks, for all workers of the queue and across restarts',
        queueBody,
        queueBody,
      ),
    ),
  },
  '/tasks/retry': {
    post: {
      operationId: 'retryFailedTasks',
      summary: 'Retry all failed tasks, with all their attempts',
      tags: ['admin'],
      requestParams: { query: createRetryQuery() },
      responses: {
        '200': {
          description: 'How many',
          content: {
            'application/json': {
              schema: z
                .strictObject({ retried: z.int().min(0).max(Number.MAX_SAFE_INTEGER) })
                .meta({ id: 'Retried' }),
            },
          },
        },
        ...problemResponses('invalid-target', 'forbidden', 'invalid-query', 'queue-unavailable'),
      },
    },
  },
  '/debug/heap': {
    post: {
      operationId: 'heap',
      summary: 'Take a heap snapshot for Chrome DevTools; pauses the process',
      tags: ['admin'],
      requestParams: { query: createHeapQuery() },
      responses: {
        '200': {
          description: 'A .heapsnapshot file',
          content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
        },
        ...problemResponses('invalid-target', 'forbidden', 'invalid-query', 'not-found', 'overloaded'),
      },
    },
  },
}

/** The paths of fault injection, where there are requests to inject faults into. */
export const faultPaths: ZodOpenApiPathsObject = {
  '/admin/faults': {
    get: operation('showFaults', 'Show the injected faults', faultsSchema),
    put: operation('setFaults', 'Inject faults; omitted ones are off', faultsSchema, faultsSchema),
    delete: operation('clearFaults', 'Stop injecting faults', faultsSchema),
  },
}

function addQueueProblems(one: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  return { ...one, responses: { ...problemResponses('queue-unavailable'), ...one.responses } }
}

function operation(
  operationId: string,
  summary: string,
  response: z.ZodType,
  body?: z.ZodType,
): ZodOpenApiOperationObject {
  return {
    operationId,
    summary,
    tags: ['admin'],
    ...(body !== undefined && { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      '200': { description: 'The current setting', content: { 'application/json': { schema: response } } },
      ...(body === undefined
        ? problemResponses('invalid-target', 'forbidden')
        : problemResponses(
            'invalid-target',
            'forbidden',
            'malformed-json',
            'not-utf-8',
            'invalid-input',
            'incomplete-body',
            'body-timeout',
            'body-too-large',
            'unsupported-media-type',
          )),
    },
  }
}
