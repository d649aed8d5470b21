import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { problemResponses } from './problem.ts'

const healthSchema = z
  .strictObject({
    status: z.literal('ok'),
    service: z.string(),
    version: z.string(),
    timestamp: z.iso.datetime(),
  })
  .meta({ id: 'Health' })

const checksSchema = z.record(z.string(), z.enum(['ok', 'failing']))
const backendsSchema = z
  .strictObject({
    store: z.enum(['sqlite', 'postgres']).optional(),
    queue: z.enum(['sqlite', 'postgres', 'redis']),
    queue_durability: z
      .enum(['managed'])
      .optional()
      .describe('`managed`: the platform keeps accepted tasks, and Redis does not show it'),
  })
  .describe('Where documents and tasks are kept')
const readySchema = z
  .strictObject({ status: z.literal('ready'), checks: checksSchema, backends: backendsSchema })
  .meta({ id: 'Ready' })
const notReadySchema = z
  .strictObject({
    status: z.literal('not ready'),
    reason: z.string().describe('starting, draining, disabled, or the dependency that is unavailable'),
    checks: checksSchema,
    backends: backendsSchema,
  })
  .meta({ id: 'NotReady' })
const buildSchema = z
  .strictObject({
    service: z.string(),
    version: z.string(),
    revision: z.string(),
    runtime: z.string(),
    backends: backendsSchema,
  })
  .meta({ id: 'Version' })

/** The paths of `routes/health.ts`, without their aliases. */
export const healthPaths: ZodOpenApiPathsObject = {
  '/health': {
    get: {
      operationId: 'health',
      summary: 'Liveness: 200 while the process can answer, even while draining',
      tags: ['operations'],
      responses: {
        '200': { description: 'Alive', content: { 'application/json': { schema: healthSchema } } },
        ...problemResponses('invalid-target'),
      },
    },
  },
  '/ready': {
    get: {
      operationId: 'ready',
      summary: 'Readiness: whether this instance accepts traffic',
      tags: ['operations'],
      responses: {
        '200': { description: 'Ready', content: { 'application/json': { schema: readySchema } } },
        ...problemResponses('invalid-target'),
        '503': {
          description: 'Not ready, with the reason',
          content: { 'application/json': { schema: notReadySchema } },
        },
      },
    },
  },
  '/version': {
    get: {
      operationId: 'version',
      summary: 'The running build',
      tags: ['operations'],
      responses: {
        '200': { description: 'The build', content: { 'application/json': { schema: buildSchema } } },
        ...problemResponses('invalid-target'),
      },
    },
  },
}

/** The path of `routes/metrics.ts`. */
export const metricsPaths: ZodOpenApiPathsObject = {
  '/metrics': {
    get: {
      operationId: 'metrics',
      summary: 'Metrics in the Prometheus text format',
      tags: ['operations'],
      responses: {
        '200': {
          description: 'text/plain; version=0.0.4',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
        ...problemResponses('invalid-target'),
      },
    },
  },
}
