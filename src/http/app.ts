import type { Checks, Lifecycle } from '../lifecycle/index.ts'
import type { TaskQueue } from '../queue/task-queue.ts'
import type { DocumentSchema } from '../store/document-schema.ts'
import type { DocumentStore } from '../store/document-store.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { dataRoutes } from './data.ts'
import { diagnosticsRoutes } from './diagnostics.ts'
import { docsRoutes } from './docs.ts'
import { json } from './exchange.ts'
import { createFetch } from './fetch.ts'
import { createInFlight, type InFlight } from './in-flight.ts'
import { type Build, operationsRoutes } from './operations.ts'
import { payloadRoutes } from './payload.ts'
import { createProblems, type Problems } from './problem.ts'
import { pathOf } from './request-path.ts'
import type { Route } from './route.ts'
import { createRouter, pathsOf } from './router.ts'
import { createEventStreams } from './task-events.ts'
import { tasksRoutes } from './tasks.ts'

/** What every program needs that answers the platform over HTTP. */
export interface OperationsAppOptions {
  readonly build: Build
  /** Answered in `X-Served-By`. */
  readonly instance: string
  readonly lifecycle: Lifecycle
  readonly checks: Checks
  readonly metrics: Metrics
  /** Makes the text of a scrape where this process alone cannot: one of several on a port. */
  readonly scrape?: (() => Promise<string>) | undefined
  readonly log: Log
  readonly requestTimeoutMs: number
  readonly validationStatus: 400 | 422
  readonly accessLog: boolean
}

export interface AppOptions extends OperationsAppOptions {
  readonly store: DocumentStore
  /** What every document must satisfy, beside being an object. */
  readonly documentSchema?: DocumentSchema | undefined
  readonly queue: TaskQueue
  readonly limits: {
    readonly maxNumbers: number
    readonly maxTextLength: number
    readonly bodyBytesMax: number
    readonly documentBytesMax: number
  }
  readonly debugRoutes: boolean
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
  const documented = [
    ...payloadRoutes({ limits, bodyBytesMax, problems, metrics }),
    ...dataRoutes({
      store: options.store,
      schema: options.documentSchema,
      documentBytesMax: limits.documentBytesMax,
      problems,
      metrics,
    }),
    ...tasksRoutes({ queue: options.queue, limits, bodyBytesMax, problems, metrics, streams }),
    ...operationsOf(options),
  ]
  const routes = [
    ...documented,
    indexRoute(build),
    ...docsRoutes(documented, build, options.validationStatus),
    ...(options.debugRoutes ? diagnosticsRoutes(problems) : []),
  ]
  return { ...answering(routes, problems, options), endStreams: streams.endAll }
}

/** A program whose work is elsewhere, and which answers only what the platform asks. */
export function createOperationsApp(options: OperationsAppOptions): App {
  return answering(operationsOf(options), createProblems(options.validationStatus), options)
}

function operationsOf({ lifecycle, checks, metrics, scrape, build }: OperationsAppOptions): Route[] {
  return operationsRoutes({ lifecycle, checks, registry: metrics.registry, scrape, build })
}

/** A table of routes, and around it the one way in. */
function answering(routes: readonly Route[], problems: Problems, options: OperationsAppOptions): App {
  const { instance, log, metrics } = options
  const inFlight = createInFlight(options.requestTimeoutMs)
  const operations = new Set(routes.filter(({ kind }) => kind === 'operations').flatMap(pathsOf))
  return {
    routes,
    inFlight,
    isBackground: (request) => operations.has(pathOf(request.url)),
    fetch: createFetch({
      route: createRouter(routes, problems),
      problems,
      inFlight,
      log,
      metrics,
      servedBy: instance,
      accessLog: options.accessLog,
    }),
  }
}

/** GET /: who answers here, and where to go on. */
function indexRoute({ service, version }: Build): Route {
  const body = {
    service,
    version,
    docs: '/docs',
    openapi: '/openapi.json',
    health: '/health',
    ready: '/ready',
    metrics: '/metrics',
  }
  return { method: 'GET', path: '/', kind: 'page', answer: (_, exchange) => json(exchange, body) }
}
