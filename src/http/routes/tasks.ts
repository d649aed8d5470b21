import type { Context } from 'hono'
import { z } from 'zod'
import {
  createNewTaskParser,
  type NewTaskResult,
  newTaskSchema,
} from '../../analysis/parse/parse-new-task.ts'
import type { PayloadLimits } from '../../analysis/payload.ts'
import { type Task, taskStatuses } from '../../tasks/task.ts'
import { TASKS_PAGE_MAX, type TaskQueue } from '../../tasks/task-queue.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import { announcedBytes, readBody } from '../body/json-body.ts'
import type { LargeBodies } from '../body/large-body.ts'
import { idempotencyOf } from '../headers/idempotency-key.ts'
import { linkTo, pointIn } from '../headers/link.ts'
import { type Problems, type Refusal, refusalFrom } from '../problem.ts'
import { pageLimit, withQuery } from '../query.ts'
import { type Exchange, json, jsonText } from '../request-context.ts'
import type { Env, Route } from '../route.ts'
import { type EventStreams, taskEvents } from './task-events.ts'
import { taskMembers } from './task-json.ts'

export interface TasksOptions {
  readonly queue: TaskQueue
  readonly limits: PayloadLimits
  readonly bodyBytesMax: number
  /** Who receives bodies that would hold up the event loop. */
  readonly large: LargeBodies
  readonly problems: Problems
  readonly metrics: Pick<Metrics, 'countTask'>
  readonly streams: EventStreams
}

const listQuery = () =>
  z.strictObject({
    status: z.enum(taskStatuses, `must be one of ${taskStatuses.join(', ')}`).optional(),
    limit: pageLimit(TASKS_PAGE_MAX),
    cursor: z.string().max(200, 'is not one that a page has given').optional(),
  })

const noSuch: Refusal = { code: 'not-found', detail: 'There is no task with this id, or no more.' }

/** /tasks: the work of /payload, later: accepted at once, done by a worker, never forgotten. */
export function tasksRoutes({
  queue,
  limits,
  bodyBytesMax,
  large,
  problems,
  metrics,
  streams,
}: TasksOptions): Route[] {
  const parseNewTask = createNewTaskParser(limits)
  const refuse = (c: Context<Env>, refusal: Refusal): Response => problems.answer(c.env, refusal)

  const receive = async (
    request: Request,
    exchange: Exchange,
    isKeyed: boolean,
  ): Promise<NewTaskResult | { ok: false; refusal: Refusal }> => {
    const bytes = announcedBytes(request)
    if (!(bytes <= large.bytesFrom))
      return large.run<'new-task'>({ kind: 'new-task', isKeyed }, request, exchange, (body) =>
        parseNewTask(body, isKeyed),
      )
    const body = await readBody(request, bodyBytesMax, bytes)
    return body instanceof Uint8Array ? parseNewTask(body, isKeyed) : { ok: false, refusal: body }
  }

  const create = async (c: Context<Env>): Promise<Response> => {
    const { raw } = c.req
    const isKeyed = raw.headers.has('idempotency-key')
    const outcome = await receive(raw, c.env, isKeyed)
    if (!outcome.ok) return refuse(c, refusalFrom(outcome))
    const { payload, fingerprint = '' } = outcome
    const idempotency = idempotencyOf(raw.headers, 'POST /tasks', () => fingerprint)
    if (idempotency !== undefined && 'refusal' in idempotency) return refuse(c, idempotency.refusal)
    const { task, replayed } = await queue.enqueue(payload, idempotency)
    if (!replayed) metrics.countTask()
    // The first answer again for a repeated key: it was pending then, whatever it is by now.
    const location = `${c.req.path}/${task.id}`
    return json(c.env, { task_id: task.id, status: 'pending' }, 201, { location })
  }

  const answer = (c: Context<Env>, task: Task | undefined): Response =>
    task === undefined ? refuse(c, noSuch) : jsonText(c.env, ['{"task":', ...taskMembers(task), '}'])

  const list = withQuery(listQuery, problems, async (c, { status, limit, cursor }) => {
    const after = cursor === undefined ? undefined : pointIn(cursor)
    const { tasks, next } = await queue.list({ status, limit, after })
    const parts = tasks.flatMap((task, i) => (i === 0 ? taskMembers(task) : [',', ...taskMembers(task)]))
    return jsonText(c.env, ['{"tasks":[', ...parts, ']}'], 200, linkTo(c.req.path, { status, limit }, next))
  })

  const events = async (c: Context<Env>): Promise<Response> => {
    const id = c.req.param('id') ?? ''
    const task = await queue.find(id)
    return task === undefined ? refuse(c, noSuch) : taskEvents(c.env, queue, task, streams)
  }

  return [
    {
      method: 'POST',
      path: '/tasks',
      kind: 'application',
      handler: create,
      doc: async () => (await docs()).create(newTaskSchema(limits)),
    },
    {
      method: 'GET',
      path: '/tasks',
      kind: 'application',
      handler: list,
      doc: async () => (await docs()).list,
    },
    {
      method: 'GET',
      path: '/tasks/:id',
      kind: 'application',
      handler: async (c) => answer(c, await queue.find(c.req.param('id') ?? '')),
      doc: async () => (await docs()).read,
    },
    {
      method: 'GET',
      path: '/tasks/:id/events',
      kind: 'application',
      handler: events,
      doc: async () => (await docs()).events,
    },
    {
      method: 'POST',
      path: '/tasks/:id/retry',
      kind: 'application',
      handler: async (c) => answer(c, await queue.retry(c.req.param('id') ?? '')),
      doc: async () => (await docs()).retry,
    },
  ]
}

async function docs() {
  return (await import('../openapi/tasks.ts')).tasksDocs
}
