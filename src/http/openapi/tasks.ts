import { z } from 'zod'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
import { summarySchema, textAnalysisSchema } from '../../analysis/summary-schemas.ts'
import { taskStatuses } from '../../tasks/task.ts'
import { idempotencyKeyDoc } from '../headers/idempotency-key.ts'
import { problemResponses } from './problem.ts'

const taskSchema = z
  .strictObject({
    id: z.string(),
    status: z.enum(taskStatuses),
    attempts: z.int().min(0).max(1_000_000).describe('Runs that were begun and not handed back'),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    payload: z.unknown().meta({ description: 'What was accepted' }),
    result: z
      .union([summarySchema, z.strictObject({ text_analysis: textAnalysisSchema })])
      .optional()
      .describe('What /payload would have answered; of a text alone its analysis'),
    error: z.string().optional().describe('Why the newest run failed'),
  })
  .meta({ id: 'Task' })
const oneTask = z.strictObject({ task: taskSchema }).meta({ id: 'OneTask' })
/** One event of the stream; each member is a line of it. */
const taskEventSchema = z
  .strictObject({
    event: z.literal('task'),
    data: z
      .string()
      .meta({ description: 'The task as GET answers it', contentMediaType: 'application/json' }),
  })
  .meta({ id: 'TaskEvent' })
const acceptedSchema = z
  .strictObject({ task_id: z.string(), status: z.literal('pending') })
  .meta({ id: 'Accepted' })

const tags = ['tasks']
const json = <S extends z.ZodType>(schema: S) => ({ 'application/json': { schema } })
const idParam = {
  name: 'id',
  in: 'path' as const,
  required: true,
  schema: { type: 'string' as const, format: 'uuid' },
}

/** The entries of /tasks in the OpenAPI document. */
export const tasksDocs = {
  create: (bodySchema: z.ZodType): ZodOpenApiOperationObject => ({
    operationId: 'createTask',
    summary: 'Accept work for later',
    tags,
    parameters: [idempotencyKeyDoc],
    requestBody: { required: true, content: json(bodySchema) },
    responses: {
      '201': {
        description: 'Accepted: it survives whatever happens to the processes',
        headers: { Location: { schema: { type: 'string' } } },
        content: json(acceptedSchema),
      },
      ...problemResponses(
        'malformed-json',
        'body-too-large',
        'not-json',
        'idempotency-key-reused',
        'queue-full',
        'overloaded',
        'queue-unavailable',
      ),
    },
  }),
  list: {
    operationId: 'listTasks',
    summary: 'List tasks, the newest first',
    tags,
    parameters: [
      { name: 'status', in: 'query', schema: { type: 'string', enum: [...taskStatuses] } },
      { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } },
      { name: 'cursor', in: 'query', schema: { type: 'string', maxLength: 200 } },
    ],
    responses: {
      '200': {
        description:
          'A page. It may hold fewer tasks than asked for, and still have a next one: `Link` tells',
        headers: {
          Link: { description: '`rel="next"`, when there is more', schema: { type: 'string' } },
        },
        content: json(z.strictObject({ tasks: z.array(taskSchema) }).meta({ id: 'Tasks' })),
      },
      ...problemResponses('invalid-query', 'queue-unavailable'),
    },
  },
  read: {
    operationId: 'readTask',
    summary: 'Read a task',
    tags,
    parameters: [idParam],
    responses: {
      '200': { description: 'The task', content: json(oneTask) },
      ...problemResponses('not-found', 'queue-unavailable'),
    },
  },
  events: {
    operationId: 'watchTask',
    summary: 'Watch a task until it has ended',
    tags,
    parameters: [idParam],
    responses: {
      '200': {
        description: 'Server-sent events: the task now and after each change',
        content: { 'text/event-stream': { schema: taskEventSchema } },
      },
      ...problemResponses('not-found', 'queue-unavailable'),
    },
  },
  retry: {
    operationId: 'retryTask',
    summary: 'Give a failed task all its attempts again',
    tags,
    parameters: [idParam],
    responses: {
      '200': { description: 'The task, pending again', content: json(oneTask) },
      ...problemResponses('not-found', 'task-not-failed', 'queue-unavailable'),
    },
  },
} satisfies Record<string, ZodOpenApiOperationObject | ((schema: z.ZodType) => ZodOpenApiOperationObject)>
