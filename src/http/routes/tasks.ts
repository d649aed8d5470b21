import { zValidator } from '@hono/zod-validator'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { z } from 'zod'
import { fingerprint } from '../../analysis/parse/fingerprint.ts'
import type { PayloadLimits } from '../../analysis/payload.ts'
import {
  createNewTaskCheck,
  createNewTaskParser,
  type NewTaskInput,
  newTaskSchema,
  toNewTask,
} from '../../tasks/new-task.ts'
import { type NewTask, type Task, taskStatuses } from '../../tasks/task.ts'
import { maxPageTasks } from '../../tasks/task-queue.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import { assertUnanswered, jsonBody } from '../body/json-body.ts'
import { type LargeBodies, largeBodyHandler } from '../body/large-body.ts'
import type { Env } from '../env.ts'
import { parseIdempotencyKey } from '../headers/idempotency-key.ts'
import { decodeCursor, nextLink } from '../headers/link.ts'
import { inputProblem, ProblemError } from '../problem.ts'
import { respondJson, respondJsonText } from '../respond.ts'
import { acceptIf, invalidBody, invalidQuery, pageCursor, pageLimit } from '../validate.ts'
import { type StatsJson, toStatsJson } from './stats-json.ts'
import { streamTask, type TaskStreamDeps } from './task-events.ts'
import { serializeTask, type TaskJson } from './task-json.ts'

export interface TaskDeps extends TaskStreamDeps {
  /** Compresses large responses, where that is on. */
  readonly compress: MiddlewareHandler<Env>
  readonly limits: PayloadLimits & { readonly maxBodyBytes: number }
  readonly largeBodies: LargeBodies
  readonly metrics: Pick<Metrics, 'countTask'>
  /** Whether kinds of work for debugging are accepted. */
  readonly debugRoutes: boolean
}

const listQuery = z.lazy(() =>
  z.strictObject({
    status: z.enum(taskStatuses, `must be one of ${taskStatuses.join(', ')}`).optional(),
    limit: pageLimit(maxPageTasks),
    cursor: pageCursor(200),
  }),
)

/** /tasks: work done later by a worker, and never lost. */
export function taskRoutes({
  queue,
  limits,
  largeBodies,
  metrics,
  debugRoutes,
  compress,
  ...deps
}: TaskDeps) {
  const newTasks = { limits, debug: debugRoutes }
  const parseNewTask = createNewTaskParser(newTasks)
  const isKeyed = (c: Context<Env>): boolean => c.req.header('idempotency-key') !== undefined

  const enqueue = async (c: Context<Env>, newTask: NewTask, bodyFingerprint: () => string) => {
    const idempotency = parseIdempotencyKey(
      c.req.header('idempotency-key'),
      'POST /tasks',
      c.get('request').client,
      bodyFingerprint,
    )
    const { task, replayed } = await queue.enqueue(newTask, idempotency)
    if (!replayed) metrics.countTask()
    c.get('request').taskId = task.id
    // A repeated key gets the first response again: the task was pending then, even if it has ended by now.
    return respondJsonText<{ task_id: string; status: 'pending' }, 201>(
      c,
      [JSON.stringify({ task_id: task.id, status: 'pending' })],
      201,
      { location: `${c.req.path}/${task.id}` },
    )
  }

  const large = largeBodyHandler<'new-task'>({
    bodies: largeBodies,
    job: (c) => ({ kind: 'new-task', isKeyed: isKeyed(c) }),
    runHere: (bytes, c) => parseNewTask(bytes, isKeyed(c)),
    respond: async (c, result) => {
      if (!result.ok) throw new ProblemError(inputProblem(result.error))
      await assertUnanswered(c.req.raw)
      return enqueue(c, result.task, () => result.fingerprint ?? '')
    },
  })

  const respondTask = (c: Context<Env>, task: Task) =>
    respondJsonText<{ task: TaskJson }>(c, ['{"task":', ...serializeTask(task), '}'])

  return (
    new Hono<Env>()
      .get('/tasks', compress, zValidator('query', listQuery, invalidQuery), async (c) => {
        const { status, limit, cursor } = c.req.valid('query')
        const after = cursor === undefined ? undefined : decodeCursor(cursor)
        const { tasks, next } = await queue.list({ status, limit, after })
        const parts = tasks.flatMap((task, i) =>
          i === 0 ? serializeTask(task) : [',', ...serializeTask(task)],
        )
        return respondJsonText<{ tasks: TaskJson[] }>(
          c,
          ['{"tasks":[', ...parts, ']}'],
          200,
          nextLink(c.req.path, { status, limit }, next),
        )
      })
      .post(
        '/tasks',
        jsonBody({ maxBytes: limits.maxBodyBytes, large }),
        zValidator(
          'json',
          z.lazy(() => newTaskSchema(newTasks)),
          invalidBody,
          acceptIf(createNewTaskCheck(newTasks)),
        ),
        async (c) => {
          const text = await c.req.text()
          const { payload } = await c.req.json<NewTaskInput>()
          return enqueue(c, toNewTask(c.req.valid('json'), payload), () => fingerprint(text))
        },
      )
      // Before the routes with an id, which would take it for one.
      .get('/tasks/stats', async (c) =>
        respondJson<StatsJson>(c.get('request'), toStatsJson(await queue.stats())),
      )
      .get('/tasks/:id', compress, async (c) =>
        respondTask(c, (await queue.find(c.req.param('id'))) ?? notFound()),
      )
      // Nothing is left to wait for: from now on no run of the task can record a result. So the response is never 202.
      .delete('/tasks/:id', async (c) => {
        const task = (await queue.cancel(c.req.param('id'))) ?? notFound()
        c.get('request').taskId = task.id
        return respondTask(c, task)
      })
      .get('/tasks/:id/events', async (c) =>
        streamTask(c, (await queue.find(c.req.param('id'))) ?? notFound(), { ...deps, queue }),
      )
      .post('/tasks/:id/retry', async (c) => {
        const task = (await queue.retry(c.req.param('id'))) ?? notFound()
        c.get('request').taskId = task.id
        return respondTask(c, task)
      })
  )
}

function notFound(): never {
  throw new ProblemError({
    code: 'not-found',
    detail: 'There is no task with this id. Ended tasks are deleted after TASK_TTL.',
  })
}
