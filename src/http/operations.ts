import type { Context } from 'hono'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import { type Checks, type Lifecycle, readinessOf, retryAfterSeconds } from '../lifecycle/index.ts'
import { type Exchange, json } from './exchange.ts'
import { problemResponses } from './problem-docs.ts'
import type { Env, Route } from './route.ts'

/** What runs here. */
export interface Build {
  readonly service: string
  readonly version: string
  readonly revision: string
}

/** What it runs on. */
export const runtime = `bun ${Bun.version}`

export interface OperationsOptions {
  readonly lifecycle: Lifecycle
  readonly checks: Checks
  readonly build: Build
}

const healthSchema = z
  .strictObject({
    status: z.literal('ok'),
    service: z.string(),
    version: z.string(),
    timestamp: z.iso.datetime(),
  })
  .meta({ id: 'Health' })

const checksSchema = z.record(z.string(), z.enum(['ok', 'failing']))
const readySchema = z.strictObject({ status: z.literal('ready'), checks: checksSchema }).meta({ id: 'Ready' })
const notReadySchema = z
  .strictObject({
    status: z.literal('not ready'),
    reason: z.string().describe('starting, draining, disabled, or what is unavailable'),
    checks: checksSchema,
  })
  .meta({ id: 'NotReady' })
const buildSchema = z
  .strictObject({ service: z.string(), version: z.string(), revision: z.string(), runtime: z.string() })
  .meta({ id: 'Version' })

/**
 * What a platform asks: is it alive, does it want traffic, what is it.
 *
 * The probes are found without Hono, whose router is made by the first request that needs it: 6 ms, for which the first
 * answer of a start would wait.
 */
export function operationsRoutes({ lifecycle, checks, build }: OperationsOptions): Route[] {
  const about = { ...build, runtime }

  const alive = (_: Request, exchange: Exchange): Response =>
    json(exchange, {
      status: 'ok',
      service: build.service,
      version: build.version,
      timestamp: new Date().toISOString(),
    })

  const ready = async (_: Request, exchange: Exchange): Promise<Response> => {
    const { reason, checks: shown } = await readinessOf(lifecycle, checks)
    if (reason === undefined) return json(exchange, { status: 'ready', checks: shown })
    const headers = { 'retry-after': String(retryAfterSeconds) }
    return json(exchange, { status: 'not ready', reason, checks: shown }, 503, headers)
  }

  return [
    {
      method: 'GET',
      path: '/health',
      aliases: ['/healthz', '/livez'],
      kind: 'operations',
      answer: alive,
      doc: {
        operationId: 'health',
        summary: 'Liveness: 200 as long as the process answers, also while it drains',
        tags: ['operations'],
        responses: {
          '200': { description: 'Alive', content: { 'application/json': { schema: healthSchema } } },
          ...problemResponses(),
        },
      },
    },
    {
      method: 'GET',
      path: '/ready',
      aliases: ['/readyz'],
      kind: 'operations',
      answer: ready,
      doc: {
        operationId: 'ready',
        summary: 'Readiness: whether this instance wants traffic',
        tags: ['operations'],
        responses: {
          '200': { description: 'It does', content: { 'application/json': { schema: readySchema } } },
          ...problemResponses(),
          '503': {
            description: 'It does not, and why',
            content: { 'application/json': { schema: notReadySchema } },
          },
        },
      },
    },
    {
      method: 'GET',
      path: '/version',
      kind: 'operations',
      handler: (c) => c.json(about),
      doc: {
        operationId: 'version',
        summary: 'What runs here',
        tags: ['operations'],
        responses: {
          '200': { description: 'The build', content: { 'application/json': { schema: buildSchema } } },
          ...problemResponses(),
        },
      },
    },
  ]
}

export interface MetricsRouteOptions {
  readonly registry: Registry
  /** Makes the text of a scrape where this process alone cannot: one of several on a port. */
  readonly scrape?: (() => Promise<string>) | undefined
}

/** How it is doing: the metrics of the process, or of all that share its port. */
export function metricsRoute({ registry, scrape }: MetricsRouteOptions): Route {
  let printer: ReturnType<typeof loadPrinter> | undefined
  const print = async (c: Context<Env>): Promise<Response> => {
    if (scrape !== undefined) return c.text(await scrape())
    printer ??= loadPrinter(registry)
    return (await printer)(c)
  }
  return {
    method: 'GET',
    path: '/metrics',
    kind: 'metrics',
    handler: async (c) => {
      const response = await print(c)
      // The package says text/plain without the version, which Prometheus 3 refuses to guess.
      response.headers.set('content-type', registry.contentType)
      return response
    },
    doc: {
      operationId: 'metrics',
      summary: 'Metrics in the Prometheus text format',
      tags: ['operations'],
      responses: {
        '200': {
          description: 'text/plain; version=0.0.4',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
        ...problemResponses(),
      },
    },
  }
}

/** Loaded by the first scrape: no start should wait for the package, nor for node:http, which it brings. */
async function loadPrinter(registry: Registry) {
  const { prometheus } = await import('@hono/prometheus')
  return prometheus({
    registry,
    // The two standard families are fed by request-metrics.ts, which says why.
    metricOptions: { requestDuration: { disabled: true }, requestsTotal: { disabled: true } },
  }).printMetrics
}
