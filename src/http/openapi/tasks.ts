import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { newTaskSchema } from '../../analysis/parse/parse-new-task.ts'
import type { PayloadLimits } from '../../analysis/payload.ts'
import { summarySchema, textAnalysisSchema } from '../../analysis/summary-schemas.ts'
import { taskStatuses } from '../../tasks/task.ts'
import { idempotencyKeyParameter } from '../headers/idempotency-key.ts'
import { problemResponses } from './problem.ts'

const taskSchema = z
  .strictObject({
    id: z.string(),
    status: z.enum(taskStatuses),
    attempts: z.int().min(0).max(1_000_000).describe('Runs started and not released'),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    payload: z.unknown().meta({ description: 'The accepted payload' }),
    result: z
      .union([summarySchema, z.strictObject({ text_analysis: textAnalysisSchema })])
      .optional()
      .describe('The response of /payload; for text alone its analysis'),
    error: z.string().optional().describe('Why the latest run failed'),
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

/** The paths of `routes/tasks.ts`. */
export const taskPaths = (limits: PayloadLimits): ZodOpenApiPathsObject => ({
  '/tasks': {
    get: {
      operationId: 'listTasks',
      summary: 'List tasks, newest first',
      tags,
      parameters: [
        { name: 'status', in: 'query', schema: { type: 'string', enum: [...taskStatuses] } },
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } },
        { name: 'cursor', in: 'query', schema: { type: 'string', maxLength: 200 } },
      ],
      responses: {
        '200': {
          description: 'A page. It may hold fewer tasks than `limit` and still have a next page: see `Link`',
          headers: {
            Link: { description: '`rel="next"`, when there is another page', schema: { type: 'string' } },
          },
          content: json(z.strictObject({ tasks: z.array(taskSchema) }).meta({ id: 'Tasks' })),
        },
        ...problemResponses('invalid-query', 'queue-unavailable'),
      },
    },
    post: {
      operationId: 'createTask',
      summary: 'Queue a task',
      tags,
      parameters: [idempotencyKeyParameter],
      requestBody: { required: true, content: json(newTaskSchema(limits)) },
      responses: {
        '201': {
          description: 'Stored durably: it survives crashes and restarts',
          headers: { Location: { schema: { type: 'string' } } },
          content: json(acceptedSchema),
        },
        ...problemResponses(
          'malformed-json',
          'body-too-large',
          'unsupported-media-type',
          'idempotency-key-reused',
          'queue-full',
          'overloaded',
          'queue-unavailable',
        ),
      },
    },
  },
  '/tasks/{id}': {
    get: {
      operationId: 'readTask',
      summary: 'Read a task',
      tags,
      parameters: [idParam],
      responses: {
        '200': { description: 'The task', content: json(oneTask) },
        ...problemResponses('not-found', 'queue-unavailable'),
      },
    },
  },
  '/tasks/{id}/events': {
    get: {
      operationId: 'watchTask',
      summary: 'Watch a task until it ends',
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
  },
  '/tasks/{id}/retry': {
    post: {
      operationId: 'retryTask',
      summary: 'Retry a failed task with all its attempts',
      tags,
      parameters: [idParam],
      responses: {
        '200': { description: 'The task, pending again', content: json(oneTask) },
        ...problemResponses('not-found', 'task-not-failed', 'queue-unavailable'),
      },
    },
  },
})
