import type { AnalysisPool } from '../analysis/pool/jobs.ts'
import type { DocumentStore } from '../documents/document-store.ts'
import type { DocumentSchema } from '../documents/json-schema.ts'
import type { Checks, Lifecycle } from '../lifecycle/index.ts'
import type { TaskQueue } from '../tasks/task-queue.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { LargeBodies } from './body/large-body.ts'
import { createFetch } from './fetch.ts'
import type { Gate, Gates } from './middleware/check.ts'
import { cors } from './middleware/cors.ts'
import { overload } from './middleware/load-shedding.ts'
import { pageHeaders } from './middleware/security-headers.ts'
import type { Security } from './openapi/document.ts'
import { createProblems, type Problems } from './problem.ts'
import { pathOf } from './request-path.ts'
import { createInFlight, type InFlight } from './requests-in-flight.ts'
import type { Route } from './route.ts'
import { createRouter, isBackgroundKind, pathsOf } from './router.ts'
import { type AdminOptions, adminRoutes } from './routes/admin.ts'
import { dataRoutes } from './routes/data.ts'
import { diagnosticsRoutes } from './routes/debug.ts'
import { docsRoutes } from './routes/docs.ts'
import { type Build, metricsRoute, operationsRoutes } from './routes/health.ts'
import { indexRoute } from './routes/index.ts'
import { payloadRoutes } from './routes/payload.ts'
import { createEventStreams } from './routes/task-events.ts'
import { tasksRoutes } from './routes/tasks.ts'

/** What every program needs that answers the platform over HTTP. */
export interface OperationsAppOptions {
  readonly build: Build
  /** Answered in `X-Served-By`. */
  readonly instance: string
  readonly lifecycle: Lifecycle
  readonly checks: Checks
  readonly metrics: Pick<Metrics, 'registry' | 'requests'>
  /** Makes the text of a scrape where this process alone cannot: one of several on a port. */
  readonly scrape?: (() => Promise<string>) | undefined
  readonly log: Log
  readonly requestTimeoutMs: number
  readonly validationStatus: 400 | 422
  readonly accessLog: boolean
  /** True where `/metrics` is answered on a port of its own. Default false. */
  readonly metricsMoved?: boolean
  /** What an operator can change here. Default: nothing, and there are no admin routes. */
  readonly admin?: Omit<AdminOptions, 'problems'> | undefined
  /** What stands before the handlers of each kind of route. Default: nothing. */
  readonly gates?: Gates
  /** Whether large answers are compressed for clients that ask for it. Default false. */
  readonly compress?: boolean
  /** Before every path but those that the platform asks for, which have both. Default: nothing. */
  readonly basePath?: string
  /** Whose pages may read answers. Default: only those of the service itself. */
  readonly corsOrigins?: readonly string[] | '*' | undefined
}

export interface AppOptions extends OperationsAppOptions {
  readonly metrics: Metrics
  readonly store: DocumentStore
  /** What every document must satisfy, beside being an object. */
  readonly documentSchema?: DocumentSchema | undefined
  readonly queue: TaskQueue
  readonly threads: Pick<AnalysisPool, 'run' | 'warmUp'>
  readonly limits: {
    readonly maxNumbers: number
    readonly maxTextLength: number
    readonly bodyBytesMax: number
    /** Of all large bodies that are held at a time. */
    readonly heldBytesMax: number
    /** Above so many bytes a body is worked on by a thread. Default: see `LargeBodies`. */
    readonly bytesFrom?: number
    readonly documentBytesMax: number
  }
  readonly debugRoutes: boolean
  /** What is too much at once; see `overload.ts`. Default: nothing is. */
  readonly overload?: { readonly inFlightMax: number; readonly lateMs: number }
  /** What the gates want, for the API document. Default: nothing. */
  readonly security?: Security
  /** Default: nothing is traced. */
  readonly tracing?: Tracing | undefined
}

export interface App {
  /** The whole service as one function from request to answer. */
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** The table of routes, in the order of matching. */
  readonly routes: readonly Route[]
  readonly inFlight: InFlight
  /** True for what the platform asks: it must not keep a drain window open. */
  readonly isBackground: (request: Request) => boolean
}

export interface ServiceApp extends App {
  /** Ends the streams of events, completely: a client that wants more asks again. */
  readonly endStreams: () => void
}

/**
 * The service: every route, and around all of them the one way in (`fetch.ts`): guards, request id,
 * deadline, router, then metrics and access log.
 */
export function createApp(options: AppOptions): ServiceApp {
  const { build, metrics, limits } = options
  const { bodyBytesMax } = limits
  const problems = createProblems(options.validationStatus)
  const streams = createEventStreams()
  const large = new LargeBodies({ ...limits, threads: options.threads })
  const documented = [
    ...payloadRoutes({ limits, bodyBytesMax, large, problems, metrics, tracing: options.tracing }),
    ...dataRoutes({
      store: options.store,
      schema: options.documentSchema,
      documentBytesMax: limits.documentBytesMax,
      problems,
      metrics,
    }),
    ...tasksRoutes({ queue: options.queue, limits, bodyBytesMax, large, problems, metrics, streams }),
    ...operationsOf(options, problems),
  ]
  const routes = [
    ...documented,
    indexRoute(build, options.metricsMoved, options.basePath),
    ...docsRoutes(documented, build, options),
    ...(options.debugRoutes ? diagnosticsRoutes(problems) : []),
  ]
  return { ...answering(routes, problems, options, overloadGate(options)), endStreams: streams.endAll }
}

/** A program whose work is elsewhere, and which answers only what the platform asks. */
export function createOperationsApp(options: OperationsAppOptions): App {
  const problems = createProblems(options.validationStatus)
  return answering(operationsOf(options, problems), problems, options)
}

function operationsOf(options: OperationsAppOptions, problems: Problems): Route[] {
  const { lifecycle, checks, metrics, scrape, build, admin } = options
  return [
    ...operationsRoutes({ lifecycle, checks, build }),
    ...(options.metricsMoved ? [] : [metricsRoute({ registry: metrics.registry, scrape })]),
    ...(admin === undefined ? [] : adminRoutes({ ...admin, problems })),
  ]
}

/** A table of routes, and around it the one way in. */
function answering(
  routes: readonly Route[],
  problems: Problems,
  options: OperationsAppOptions & Pick<AppOptions, 'tracing'>,
  firstGate?: (inFlight: InFlight) => Gate,
): App {
  const { instance, log, metrics, gates = {}, basePath = '', compress, corsOrigins } = options
  const inFlight = createInFlight(options.requestTimeoutMs)
  const crossOrigin = corsOrigins === undefined ? undefined : cors(corsOrigins)
  const first = [crossOrigin?.gate, firstGate?.(inFlight)].filter((gate) => gate !== undefined)
  const background = new Set(
    routes.filter(({ kind }) => isBackgroundKind(kind)).flatMap((route) => pathsOf(route, basePath)),
  )
  return {
    routes,
    inFlight,
    isBackground: (request) => background.has(pathOf(request.url)),
    fetch: createFetch({
      route: createRouter(routes, problems, {
        basePath,
        compress: compress ?? false,
        preflight: crossOrigin?.preflight,
        tracing: options.tracing,
        gates: {
          ...gates,
          application: [...first, ...(gates.application ?? [])],
          page: [pageHeaders, ...first, ...(gates.page ?? [])],
        },
      }),
      problems,
      inFlight,
      log,
      metrics,
      servedBy: instance,
      accessLog: options.accessLog,
    }),
  }
}

/** What sheds, by the requests in flight of this one service; nothing where nothing is too much. */
function overloadGate({ overload: bounds, metrics }: AppOptions) {
  if (bounds === undefined) return undefined
  return (inFlight: InFlight) =>
    overload({ ...bounds, inFlight: () => inFlight.size, onShed: metrics.countShed })
}
