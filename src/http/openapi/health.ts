import { z } from 'zod'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
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
const readySchema = z.strictObject({ status: z.literal('ready'), checks: checksSchema }).meta({ id: 'Ready' })
const notReadySchema = z
  .strictObject({
    status: z.literal('not ready'),
    reason: z.string().describe('starting, draining, disabled, or what is unavailable'),
    checks: checksSchema,
  })
  .meta({ id: 'NotReady' })
const buildSchema = z
  .strictObject({ service: z.string(), version: z.string(), revision: z.string(), runtime: z.string() })
  .meta({ id: 'Version' })

/** The entries of what a platform asks in the OpenAPI document. */
export const operationsDocs = {
  health: {
    operationId: 'health',
    summary: 'Liveness: 200 as long as the process answers, also while it drains',
    tags: ['operations'],
    responses: {
      '200': { description: 'Alive', content: { 'application/json': { schema: healthSchema } } },
      ...problemResponses(),
    },
  },
  ready: {
    operationId: 'ready',
    summary: 'Readiness: whether this instance wants traffic',
    tags: ['operations'],
    responses: {
      '200': { description: 'It does', content: { 'application/json': { schema: readySchema } } },
      ...problemResponses(),
      '503': {
        description: 'It does not, and why',
        content: { 'application/json': { schema: notReadySchema } },
      },
    },
  },
  version: {
    operationId: 'version',
    summary: 'What runs here',
    tags: ['operations'],
    responses: {
      '200': { description: 'The build', content: { 'application/json': { schema: buildSchema } } },
      ...problemResponses(),
    },
  },
  metrics: {
    operationId: 'metrics',
    summary: 'Metrics in the Prometheus text format',
    tags: ['operations'],
    responses: {
      '200': {
        description: 'text/plain; version=0.0.4',
        content: { 'text/plain': { schema: { type: 'string' } } },
      },
      ...problemResponses(),
    },
  },
} satisfies Record<string, ZodOpenApiOperationObject>
