import { Hono, type MiddlewareHandler } from 'hono'
import type { H, RouterRoute } from 'hono/types'
import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { Checks, Lifecycle } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { LargeBodies } from './body/large-body.ts'
import { DeferredRouter } from './deferred-router.ts'
import type { Env } from './env.ts'
import { logFailures } from './failure-log.ts'
import { createFetch, type FetchHandler } from './fetch.ts'
import type { BearerToken } from './middleware/bearer-token.ts'
import { allChecks, asMiddleware, type Check, forPreflights } from './middleware/check.ts'
import { compress } from './middleware/compress.ts'
import { type CorsOptions, cors } from './middleware/cors.ts'
import { loadShedding } from './middleware/load-shedding.ts'
import { requestContext } from './middleware/request-context.ts'
import { traceRequests } from './middleware/tracing.ts'
import type { Security } from './openapi/document.ts'
import { createPayloadFastPath, type PayloadFastPath } from './payload-fast-path.ts'
import { createProblemResponse, internalError, toProblem } from './problem.ts'
import type { RequestContext } from './request-context.ts'
import { type DescribeRequest, pathname } from './request-details.ts'
import { RequestTracker, type RequestTrackerOptions } from './request-tracker.ts'
import { RouteTable, routedMethods } from './route-table.ts'
import { type AdminDeps, adminRoutes } from './routes/admin.ts'
import { type ConsoleDeps, consoleFileRoutes, instancePath, instanceRoutes } from './routes/console.ts'
import { type DataDeps, dataRoutes } from './routes/data.ts'
import { debugRoutes } from './routes/debug.ts'
import { docsRoutes } from './routes/docs.ts'
import { type Backends, type Build, healthRoutes, hostlessProbes } from './routes/health.ts'
import { indexRoutes } from './routes/index.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { type PayloadDeps, payloadRoutes } from './routes/payload.ts'
import { EventStreams } from './routes/task-events.ts'
import { type TaskDeps, taskRoutes } from './routes/tasks.ts'

/** The dependencies of every program that answers its platform over HTTP. */
export interface ManagementDeps {
  readonly build: Build
  /** The backends of documents and tasks. */
  readonly backends: Backends
  /** The value of `X-Served-By`. */
  readonly instance: string
  readonly lifecycle: Lifecycle
  /** Dependency checks, for `/ready`. */
  readonly checks: Checks
  readonly metrics: Pick<Metrics, 'registry' | 'requests'>
  /** Prints the metrics of several processes on one port. Default: those of this process. */
  readonly scrape?: (() => Promise<string>) | undefined
  readonly log: Log
  /** How long a handler may take, in ms. */
  readonly requestTimeoutMs: number
  /** The status for bodies whose content is invalid. */
  readonly validationStatus: 400 | 422
  /** Whether successful requests are logged at info. */
  readonly accessLog: boolean
  /** Whether access lines have the bytes of request and response. Default false. */
  readonly logBytes?: boolean
  /** Finds the optional fields of access lines. Default: no such field. */
  readonly describeRequest?: DescribeRequest | undefined
  /** False where `/metrics` is served on a separate port. Default true. */
  readonly hasMetrics?: boolean
  /** The bearer token for `/metrics`. Default: none. */
  readonly metricsToken?: BearerToken | undefined
  /** Default: no admin routes. */
  readonly admin?: AdminDeps | undefined
  /** Prefix of every path. Probes, metrics and admin routes exist without it as well. Default: none. */
  readonly basePath?: string
}

/** The dependencies of the service. */
export interface AppDeps
  extends ManagementDeps,
    Pick<DataDeps, 'store' | 'checker'>,
    Pick<TaskDeps, 'queue' | 'debugRoutes'> {
  readonly metrics: Metrics
  readonly pool: Pick<AnalysisPool, 'warmUp' | 'run'>
  readonly limits: PayloadDeps['limits'] &
    DataDeps['limits'] & {
      /** Bytes of all large bodies held at a time. */
      readonly maxBufferedBytes: number
      /** Bytes of all large responses held at a time. Default: any number. */
      readonly maxResponseBytes?: number
      /** Larger bodies, in bytes, go to a thread. Default: see `LargeBodies`. */
      readonly largeBodyThreshold?: number
    }
  /** The server closes a connection that is silent for this long, in ms. Default: it does not. */
  readonly idleTimeoutMs?: number
  /**
   * Whether the debug routes exist, behind the same checks as the application routes, and kinds of work for debugging are
   * accepted.
   */
  readonly debugRoutes: boolean
  /** Requests above these limits are shed. Default: no request is shed. */
  readonly overload?: { readonly maxInFlight: number; readonly maxLagMs: number }
  /** Checks before the application routes, after load shedding. Default: none. */
  readonly applicationChecks?: readonly Check[]
  /** Checks before the pages and CORS preflights, after load shedding. Default: none. */
  readonly pageChecks?: readonly Check[]
  /** Authentication and limits, for the OpenAPI document. Default: no authentication, no limit. */
  readonly security?: Security
  /** The other origins whose pages may use the service. Default: no other origin. */
  readonly cors?: CorsOptions | undefined
  /** The web page for browsers. Default: no page. */
  readonly console?: ConsoleDeps | undefined
  /** Whether large responses are compressed. Default false. */
  readonly compress?: boolean
  /** Default: nothing is traced. */
  readonly tracing?: Tracing | undefined
  /** Whether plain payload requests may bypass Hono. Default true. */
  readonly payloadFastPath?: boolean
}

/** State that the routes share, created once for an app. */
interface Shared extends Pick<TaskDeps, 'largeBodies' | 'eventStreams' | 'compress'> {
  /** Before every application route, in order. */
  readonly applicationMiddleware: readonly MiddlewareHandler<Env>[]
  /** Before every page, in order. */
  readonly pageMiddleware: readonly MiddlewareHandler<Env>[]
  readonly management: ReturnType<typeof managementRoutes>
  /** Undefined without a console. */
  readonly instanceRoutes: ReturnType<typeof instanceRoutes> | undefined
}

const applicationPaths = ['/payload', '/data/*', '/tasks/*'] as const
const pagePaths = ['/', '/openapi.json', '/docs/*'] as const
const debugPath = '/debug/*'
const consolePaths = '/console/*'
/** Whether a label, which has neither base path nor version, is that of an application route. */
const isApplicationLabel = (label: string): boolean =>
  applicationPaths.some((path) => {
    const base = path.replace(/\/\*$/, '')
    return label === base || label.startsWith(`${base}/`)
  })

/** Every route of the service, below an optional base path. */
export function createRoutes(deps: Omit<AppDeps, 'compress'> & Shared) {
  const { build, basePath = '', hasMetrics = true, admin, instanceRoutes = new Hono() } = deps
  const pages = new Hono<Env>()
  for (const path of pagePaths) pages.use(path, ...deps.pageMiddleware)
  pages
    .route('/', indexRoutes({ build, basePath, hasMetrics, console: deps.console }))
    .route('/', docsRoutes({ ...deps, basePath, hasMetrics, hasAdmin: admin !== undefined }))
  if (deps.console !== undefined)
    pages.use(consolePaths, ...deps.pageMiddleware).route('/', consoleFileRoutes(deps.console))
  // Behind the checks for clients: one of them ends the process.
  if (deps.debugRoutes) pages.use(debugPath, ...deps.applicationMiddleware).route('/', debugRoutes())

  const application = new Hono<Env>()
  for (const path of applicationPaths) application.use(path, ...deps.applicationMiddleware)
  const api = application
    .route('/', payloadRoutes(deps))
    .route('/', dataRoutes(deps))
    .route('/', taskRoutes(deps))

  return new Hono<Env>()
    .route('/', deps.management)
    .route('/', instanceRoutes)
    .route('/', pages)
    .route('/', api)
    .route('/v1', api)
}

/** The type of the routes for Hono's client: `hc<AppType>(url)`. */
export type AppType = ReturnType<typeof createRoutes>

/** Probes, metrics and admin routes: never shed, never behind the checks for clients. */
function managementRoutes({
  metrics,
  scrape,
  hasMetrics = true,
  metricsToken,
  admin,
  ...deps
}: ManagementDeps) {
  const routes = new Hono<Env>().route('/', healthRoutes(deps))
  if (hasMetrics)
    routes.route('/', metricsRoutes({ registry: metrics.registry, scrape, token: metricsToken }))
  if (admin !== undefined) routes.route('/', adminRoutes(admin))
  return routes
}

/** A Hono app, and the functions around it. */
export interface App {
  /** For `Bun.serve`. */
  readonly fetch: FetchHandler
  /** Calls the Hono app directly: for tests. */
  readonly request: Hono<Env>['request']
  readonly requests: RequestTracker
  /**
   * The paths of probes, metrics and admin routes, for the server: a request must spell them exactly. A proxy's rules
   * for a path would otherwise miss its other spellings.
   */
  readonly literalPaths: readonly string[]
  /** True for probes, scrapes and admin requests: they do not keep a drain window open. */
  readonly isProbe: (request: Request) => boolean
  /** Makes routing fast; see `DeferredRouter`. Until then requests are answered as well. */
  readonly compileRoutes: () => void
  /** `METHOD path` of every route. */
  readonly routes: readonly string[]
}

export interface ServiceApp extends App {
  /** Ends all event streams properly: clients reconnect elsewhere. */
  readonly endStreams: () => void
}

/** The service: every route, behind the request context. */
export function createApp(deps: AppDeps): ServiceApp {
  const { limits, metrics, overload, tracing, console, basePath = '' } = deps
  const backgroundPaths = console === undefined ? [] : [instancePath]
  const shell = createShell(deps, {
    cors: deps.cors,
    backgroundPaths,
    maxArriving: overload?.maxInFlight,
    maxResponseBytes: limits.maxResponseBytes,
  })
  const { tracker, hono, management } = shell
  const shedding =
    overload === undefined
      ? []
      : [loadShedding({ ...overload, ...countRequests(tracker), onShed: metrics.countShed })]
  const applicationChecks = [...shedding, ...(deps.applicationChecks ?? [])]
  const eventStreams = new EventStreams(deps.idleTimeoutMs)
  const largeBodies = new LargeBodies({ ...limits, pool: deps.pool, threshold: limits.largeBodyThreshold })
  const pageCheck = allChecks([...shedding, ...(deps.pageChecks ?? [])])
  const first = [
    ...(shell.cors === undefined ? [] : [asMiddleware(forPreflights(pageCheck)), shell.cors]),
    ...(tracing === undefined ? [] : [traceRequests(tracing)]),
  ]
  const pageMiddleware = [...first, asMiddleware(pageCheck)]
  const totals = () => metrics.requests.totals(shell.isApplicationRoute)
  const routes = createRoutes({
    ...deps,
    management,
    instanceRoutes: console && instanceRoutes({ ...deps, checks: console.checks, tracker, totals }),
    largeBodies,
    eventStreams,
    compress: deps.compress ? compress() : (_c, next) => next(),
    applicationMiddleware: [...first, asMiddleware(...applicationChecks)],
    pageMiddleware,
  })
  hono.route(basePath || '/', routes)
  if (basePath !== '')
    hono
      .route('/', management)
      .use(`${basePath}/`, ...pageMiddleware)
      .route(`${basePath}/`, indexRoutes({ ...deps, basePath, hasMetrics: deps.hasMetrics ?? true }))

  const isFast = (deps.payloadFastPath ?? true) && tracing === undefined && deps.cors === undefined
  const fastPath = isFast
    ? createPayloadFastPath({
        ...shell,
        checks: applicationChecks,
        limits,
        threshold: largeBodies.threshold,
        metrics,
        paths: [`${basePath}/payload`, `${basePath}/v1/payload`],
      })
    : undefined
  return { ...shell.finish(fastPath), endStreams: () => eventStreams.endAll() }
}

/** The number that load shedding compares: requests in flight without those whose body has not arrived. */
const countRequests = (tracker: RequestTracker) => ({
  inFlight: () => tracker.size - tracker.arrivals.count,
  arriving: () => tracker.arrivals.count,
})

/** A program whose work is elsewhere, and which answers only its platform. */
export function createManagementApp(deps: ManagementDeps): App {
  const shell = createShell(deps)
  shell.hono.route('/', shell.management)
  return shell.finish()
}

interface ShellOptions extends Pick<RequestTrackerOptions, 'maxArriving' | 'maxResponseBytes'> {
  readonly cors?: CorsOptions | undefined
  /** Paths besides those of the management routes that hold no drain window open. */
  readonly backgroundPaths?: readonly string[]
}

/** The app around any routes: request context and problems. */
function createShell(
  deps: ManagementDeps,
  { cors: corsOptions, backgroundPaths = [], ...bounds }: ShellOptions = {},
) {
  const { log, metrics, basePath = '' } = deps
  const tracker = new RequestTracker({ ...deps, metrics, timeoutMs: deps.requestTimeoutMs, ...bounds })
  const problemResponse = logFailures(createProblemResponse(deps.validationStatus), log)
  const onError = (error: unknown, context: RequestContext): Response =>
    problemResponse(context, toProblem(error) ?? internalError(error))

  const management = managementRoutes(deps)
  const probes = management.routes.flatMap(({ method, path }) => (method === 'ALL' ? [] : [path]))
  const probePaths = new Set([...probes, ...backgroundPaths].flatMap((path) => [path, basePath + path]))
  /** Whether the objectives of the service count a label's requests: not those of an operator, as to /tasks/retry. */
  const isApplicationRoute = (label: string): boolean => isApplicationLabel(label) && !probePaths.has(label)
  const hostlessPaths = new Set(hostlessProbes.flatMap((path) => [path, basePath + path]))
  const router = new DeferredRouter<[H, RouterRoute]>()
  const hono = new Hono<Env>({
    router,
    // With a malformed Host, Bun's URL is relative. Such a request must reach `requestContext`, which refuses it.
    getPath: (request, options) => pathname(options?.env?.url ?? request.url),
  })
  const table = new RouteTable(hono, { basePath, probePaths, hasCors: corsOptions !== undefined })
  const corsMiddleware =
    corsOptions && cors(corsOptions, (c) => table.findAllowed(c)?.methods ?? routedMethods)
  hono
    .use(requestContext({ tracker, table, problemResponse, onError, cors: corsMiddleware }))
    .onError((error, c) => onError(error, c.get('request')))
    .notFound((c) => {
      const context = c.get('request')
      const allowed = table.findAllowed(c)
      if (allowed === undefined)
        return problemResponse(context, { code: 'not-found', detail: 'There is no such route.' })
      const allow = allowed.methods.join(', ')
      context.route = allowed.label
      return problemResponse(context, {
        code: 'method-not-allowed',
        detail: `${allowed.label} supports ${allow}.`,
        headers: { allow },
      })
    })

  return {
    hono,
    management,
    tracker,
    table,
    /** Undefined when no other origin may use the service. */
    cors: corsMiddleware,
    problemResponse,
    onError,
    isApplicationRoute,
    /** Call it when all routes are registered. */
    finish(fastPath?: PayloadFastPath): App {
      for (const label of table.complete())
        metrics.requests.describeRoute(label, isApplicationRoute(label) ? 'application' : 'background')
      return {
        fetch: createFetch(hono, { fastPath, hostlessPaths }),
        literalPaths: [...probePaths],
        request: hono.request,
        requests: tracker,
        // Relative without a Host.
        isProbe: ({ url }) => table.isProbe(URL.parse(url, 'http://localhost')?.pathname ?? ''),
        compileRoutes: () => router.compile(),
        routes: hono.routes.map(({ method, path }) => `${method} ${path}`),
      }
    },
  }
}
