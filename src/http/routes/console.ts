import { Hono } from 'hono'
import { accepts } from 'hono/accepts'
import { createMiddleware } from 'hono/factory'
import type { Lifecycle } from '../../lifecycle/index.ts'
import type { TaskQueue } from '../../tasks/task-queue.ts'
import type { RequestTotals } from '../../telemetry/metrics/request-metrics.ts'
import type { Env } from '../env.ts'
import { asMiddleware, type Check } from '../middleware/check.ts'
import { chooseCoding } from '../middleware/compress.ts'
import { pageHeaders } from '../middleware/security-headers.ts'
import { ProblemError } from '../problem.ts'
import type { RequestTracker } from '../request-tracker.ts'
import { respondJson } from '../respond.ts'
import type { Build } from './health.ts'
import type { InstanceJson } from './instance-json.ts'

/** Codings in which a build stores the console's files, best first. */
export const consoleCodings = ['br', 'zstd'] as const

/** One file of the console, as it is and in the codings that it was stored in. */
export type ConsoleFile = Readonly<Record<'identity', Blob>> &
  Partial<Readonly<Record<(typeof consoleCodings)[number], Blob>>>

/** The console as it was built: a page, and the files that it loads, by their names. */
export interface Console {
  /** HTML that names its files relative to itself, as `console/<name>`. */
  readonly page: string
  readonly files: ReadonlyMap<string, ConsoleFile>
}

export interface ConsoleDeps {
  /** Loads the console; called at the first request for it. */
  readonly load: () => Promise<Console>
  /** Checks before `/console/instance`. Default: none. */
  readonly checks?: readonly Check[] | undefined
}

/** The path that an open console polls: like a probe it holds no drain window open, and is never shed. */
export const instancePath = '/console/instance'

/** Everything comes from this service, and neither script nor style is in the page. */
const consolePageHeaders = pageHeaders({
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  workerSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  requireTrustedTypesFor: ["'script'"],
  // The one policy allows the one script that the page starts itself, its worker.
  trustedTypes: ['tally-worker'],
})

/** Of every response to `GET /` of a service with a console. */
export const variesByAccept = { vary: 'Accept' } as const

/** Before `GET /`: answers browsers with the console. All others get JSON, also those that accept anything. */
export const consoleForBrowsers = ({ load }: Pick<ConsoleDeps, 'load'>) =>
  createMiddleware<Env>(async function consoleForBrowsers(c, next) {
    // Most programs do not name HTML, and need no comparison of what they accept.
    if (!c.req.header('accept')?.includes('text/html')) return next()
    const supports = ['application/json', 'text/html']
    const type = accepts(c, { header: 'Accept', supports, default: 'application/json' })
    if (type !== 'text/html') return next()
    await consolePageHeaders(c, async () => {
      const page = placePage((await load()).page, c.req.path)
      c.res = c.html(page, 200, { 'cache-control': 'no-cache', ...variesByAccept })
    })
  })

/**
 * The page with the addresses of its files relative to its own URL: a base path may end without a slash.
 *
 * @example placePage('<script src="console/a.js">', '/base') // '<script src="base/console/a.js">'
 */
function placePage(page: string, path: string): string {
  const folder = path.slice(path.lastIndexOf('/') + 1)
  return folder === '' ? page : page.replaceAll('"console/', `"${folder}/console/`)
}

/** The files of the console. Their names have a hash of their content, so that a browser may keep them for good. */
export function consoleFileRoutes({ load }: Pick<ConsoleDeps, 'load'>) {
  return new Hono<Env>().get('/console/:file', pageHeaders(), async (c) => {
    const file = (await load()).files.get(c.req.param('file'))
    if (file === undefined) throw new ProblemError({ code: 'not-found', detail: 'There is no such file.' })
    const available = consoleCodings.filter((coding) => file[coding] !== undefined)
    const coding = chooseCoding(c.req.header('accept-encoding'), available)
    const body = coding === undefined ? file.identity : file[coding]
    c.get('request').responseSize = body?.size
    return new Response(body, {
      headers: {
        'content-type': file.identity.type,
        'cache-control': 'public, max-age=31536000, immutable',
        vary: 'Accept-Encoding',
        ...(coding !== undefined && { 'content-encoding': coding }),
      },
    })
  })
}

export interface InstanceDeps {
  readonly build: Build
  readonly instance: string
  readonly lifecycle: Pick<Lifecycle, 'state'>
  readonly tracker: Pick<RequestTracker, 'size' | 'countProbes'>
  readonly totals: () => RequestTotals
  readonly queue: Pick<TaskQueue, 'stats'>
  readonly checks?: readonly Check[] | undefined
}

/** How long the counts of the queue are reused, in ms: every open console polls each second. */
const queueCacheMs = 1_000

/** GET /console/instance: the console's view of the instance that answers. */
export function instanceRoutes(deps: InstanceDeps) {
  const { build, instance, lifecycle, tracker, totals, queue, checks = [] } = deps
  const startedAt = new Date(Date.now() - process.uptime() * 1_000).toISOString()
  const countTasks = cached(async () => {
    const { waiting, delayed, processing, completed, failed, cancelled } = await queue.stats()
    return { waiting, delayed, processing, completed, failed, cancelled }
  }, queueCacheMs)
  return new Hono<Env>().get(instancePath, pageHeaders(), asMiddleware(...checks), async (c) => {
    const { count, failed, bounds, counts } = totals()
    return respondJson<InstanceJson>(c.get('request'), {
      name: instance,
      version: build.version,
      started_at: startedAt,
      state: lifecycle.state.name,
      uptime_seconds: Math.floor(process.uptime()),
      in_flight: tracker.size - tracker.countProbes(),
      requests: { total: count, failed, bounds, counts },
      queue: await countTasks().catch(() => null),
    })
  })
}

/** Shares the result of a call with all callers while it runs, and for some time after it. */
function cached<T>(call: () => Promise<T>, forMs: number): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= call().finally(() => {
      setTimeout(() => {
        result = undefined
      }, forMs).unref()
    })
    return result
  }
}
