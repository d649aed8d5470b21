import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { acceptedKinds } from '../../tasks/kinds/registry.ts'
import { describeNewTask, type NewTaskOptions } from '../../tasks/new-task.ts'
import { maxPriority, taskStatuses } from '../../tasks/task.ts'
import { idempotencyKeyParameter } from '../headers/idempotency-key.ts'
import { problemResponses } from './problem.ts'

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)

function createTaskSchema({ debug }: NewTaskOptions) {
  const [result, ...others] = acceptedKinds({ debug }).map((kind) => kind.resultSchema())
  if (result === undefined) throw new Error('there is no kind of work')
  return z
    .strictObject({
      id: z.string(),
      kind: z
        .string()
        .describe('The kind of work. During a rolling update it may be one that is not listed here'),
      status: z.enum(taskStatuses),
      priority: z
        .int()
        .min(0)
        .max(maxPriority)
        .describe(`Tasks of priority ${maxPriority} are claimed first`),
      attempts: z.int().min(0).max(1_000_000).describe('Runs started and not released'),
      created_at: z.iso.datetime(),
      run_at: z.iso
        .datetime()
        .describe('Not claimed before; the time of creation for a task that is due at once'),
      updated_at: z.iso.datetime(),
      payload: z.unknown().meta({ description: 'The accepted payload' }),
      result: (others.length === 0 ? result : z.union([result, ...others]))
        .optional()
        .describe('The result, by the kind of the task'),
      error: z.string().optional().describe('Why the latest run failed'),
    })
    .meta({ id: 'Task' })
}
/** One event of the stream; each member is a line of it. */
const taskEventSchema = z
  .strictObject({
    event: z.literal('task'),
    data: z
      .string()
      .meta({ description: 'The task as GET answers it', contentMediaType: 'application/json' }),
    id: z.string().meta({ description: 'Names this state of the task, for `Last-Event-ID`' }),
  })
  .meta({ id: 'TaskEvent' })
const statsSchema = z
  .strictObject({
    waiting: count.describe('Pending and due'),
    delayed: count.describe('Pending and not due yet: scheduled for later, or waiting for the next attempt'),
    processing: count,
    completed: count.describe('Ended tasks are counted until they are deleted, after TASK_TTL'),
    failed: count,
    cancelled: count,
    oldest_waiting_seconds: z
      .number()
      .min(0)
      .nullable()
      .describe('How long the task that has been due for longest has waited; null when no task waits'),
    runs_per_minute: count.describe('Tasks completed in the last minute'),
    paused: z.boolean().describe('Whether an operator has paused claiming'),
    workers: z
      .array(
        z
          .strictObject({
            name: z.string(),
            version: z.string(),
            concurrency: z.int().min(1).max(1_000_000),
            task_ids: z.array(z.string()).describe('The tasks that it runs now'),
            seen_at: z.iso.datetime().describe('Time of its last heartbeat'),
          })
          .meta({ id: 'Worker' }),
      )
      .describe('The workers with a recent heartbeat'),
  })
  .meta({ id: 'QueueStats' })
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
export function taskPaths(options: NewTaskOptions): ZodOpenApiPathsObject {
  const taskSchema = createTaskSchema(options)
  const oneTask = z.strictObject({ task: taskSchema }).meta({ id: 'OneTask' })
  return { ...collectionPaths(options, taskSchema), ...taskPath(oneTask), ...taskSubPaths(oneTask) }
}

const collectionPaths = (options: NewTaskOptions, taskSchema: z.ZodType): ZodOpenApiPathsObject => ({
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
      requestBody: { required: true, content: json(describeNewTask(options)) },
      responses: {
        '201': {
          description: 'Stored durably: it survives crashes and restarts',
          headers: { Location: { schema: { type: 'string' } } },
          content: json(acceptedSchema),
        },
        ...problemResponses(
          'malformed-json',
          'body-timeout',
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
  '/tasks/stats': {
    get: {
      operationId: 'readQueueStats',
      summary: 'Read the statistics of the queue and its workers',
      tags,
      responses: {
        '200': { description: 'The queue at this moment', content: json(statsSchema) },
        ...problemResponses('queue-unavailable'),
      },
    },
  },
})

const taskPath = (oneTask: z.ZodType): ZodOpenApiPathsObject => ({
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
    delete: {
      operationId: 'cancelTask',
      summary: 'Cancel a task that has not ended',
      description:
        'A pending task never runs. The run of a task in process is aborted soon, and its result is not recorded. ' +
        'Cancelling a cancelled task changes nothing and answers the same.',
      tags,
      parameters: [idParam],
      responses: {
        '200': { description: 'The task, cancelled', content: json(oneTask) },
        ...problemResponses('not-found', 'task-ended', 'queue-unavailable'),
      },
    },
  },
})

const taskSubPaths = (oneTask: z.ZodType): ZodOpenApiPathsObject => ({
  '/tasks/{id}/events': {
    get: {
      operationId: 'watchTask',
      summary: 'Watch a task until it ends',
      tags,
      parameters: [
        idParam,
        {
          name: 'Last-Event-ID',
          in: 'header',
          description: 'The `id` of the last event received: a client that reconnects sends it',
          schema: { type: 'string' },
        },
      ],
      responses: {
        '200': {
          description: 'Server-sent events: the task now and after each change',
          content: { 'text/event-stream': { schema: taskEventSchema } },
        },
        '204': {
          description: 'The task has ended, and `Last-Event-ID` names its last event: do not reconnect',
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
