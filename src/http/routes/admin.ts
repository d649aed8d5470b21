import { zValidator } from '@hono/zod-validator'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { RuntimeSettings, SettingsChange } from '../../runtime-settings/runtime-settings.ts'
import { createFaultsSchema, createLogLevelBody } from '../../runtime-settings/schemas.ts'
import { noFaults } from '../../runtime-settings/settings.ts'
import type { TaskQueue } from '../../tasks/task-queue.ts'
import { jsonBody } from '../body/json-body.ts'
import type { Env } from '../env.ts'
import { type BearerToken, bearerToken } from '../middleware/bearer-token.ts'
import { asMiddleware } from '../middleware/check.ts'
import { csrf, requireAddressedHost } from '../middleware/csrf.ts'
import { invalidBody, invalidQuery } from '../validate.ts'
import { heapRoutes, type TakeHeapSnapshot } from './heap.ts'

/** An operator's actions on the queue. */
export type QueueControl = Pick<TaskQueue, 'stats' | 'setPaused' | 'retryFailed'>

export interface AdminDeps {
  readonly settings: RuntimeSettings
  readonly queue: QueueControl
  /** Whether there are application routes into which faults can be injected. */
  readonly canInjectFaults: boolean
  readonly takeHeapSnapshot: TakeHeapSnapshot
  /** The bearer token that these routes require. Default: none. */
  readonly token?: BearerToken | undefined
}

/** Bodies here are a few settings, in bytes. */
const maxBodyBytes = 16 * 1024

export const createQueueBody = () =>
  z.strictObject({ paused: z.boolean().describe('Whether no worker claims tasks') }).meta({ id: 'Queue' })

const retryPath = '/tasks/retry'

/** The status is required, so that no operator retries more than intended. */
export const createRetryQuery = () => z.strictObject({ status: z.literal('failed', 'must be failed') })

/** Changes a running instance: its readiness, its log level, injected faults, its queue. Also reads its heap. */
export function adminRoutes({ settings, queue, canInjectFaults, takeHeapSnapshot, token }: AdminDeps) {
  const change = (c: Context<Env>, wanted: SettingsChange): Promise<void> =>
    settings.change(wanted, `request ${c.get('request').requestId}`)
  const body = jsonBody({ maxBytes: maxBodyBytes })

  // A page cannot know the token. Without one, only the host name of its request distinguishes it.
  const isOperator = token === undefined ? asMiddleware(requireAddressedHost) : bearerToken(token)
  const guards = [asMiddleware(csrf), isOperator]
  const routes = new Hono<Env>()
  // Named one by one: `*` would also guard every route registered after these.
  for (const path of ['/ready/enable', '/ready/disable', '/admin/*', '/debug/heap'])
    routes.use(path, ...guards)
  // Only this method: GET and DELETE of the path are mistakes, which no token makes better.
  routes.on('POST', [retryPath], ...guards)

  const setEnabled = (enabled: boolean) => async (c: Context<Env>) => {
    await change(c, { enabled })
    return c.json({ enabled: settings.current.enabled })
  }
  const showLogLevel = (c: Context<Env>) => c.json({ level: settings.current.logLevel })
  routes
    .post('/ready/enable', setEnabled(true))
    .post('/ready/disable', setEnabled(false))
    .get('/admin/log-level', showLogLevel)
    .put('/admin/log-level', body, zValidator('json', z.lazy(createLogLevelBody), invalidBody), async (c) => {
      await change(c, { logLevel: c.req.valid('json').level })
      return showLogLevel(c)
    })
    .route('/', heapRoutes(takeHeapSnapshot))
    .route('/', queueRoutes(queue, body))
  if (!canInjectFaults) return routes

  const showFaults = (c: Context<Env>) => c.json(settings.current.faults)
  return routes
    .get('/admin/faults', showFaults)
    .put('/admin/faults', body, zValidator('json', z.lazy(createFaultsSchema), invalidBody), async (c) => {
      await change(c, { faults: c.req.valid('json') })
      return showFaults(c)
    })
    .delete('/admin/faults', async (c) => {
      await change(c, { faults: noFaults })
      return showFaults(c)
    })
}

/** The queue that all instances share: a pause applies to all of them, until it is resumed. */
function queueRoutes(queue: QueueControl, body: ReturnType<typeof jsonBody>) {
  return new Hono<Env>()
    .get('/admin/queue', async (c) => c.json({ paused: (await queue.stats()).paused }))
    .put('/admin/queue', body, zValidator('json', z.lazy(createQueueBody), invalidBody), async (c) => {
      const { paused } = c.req.valid('json')
      await queue.setPaused(paused)
      return c.json({ paused })
    })
    .post(retryPath, zValidator('query', z.lazy(createRetryQuery), invalidQuery), async (c) =>
      c.json({ retried: await queue.retryFailed() }),
    )
}
