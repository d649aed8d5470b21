import type { Handler } from 'hono'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
import type { Exchange } from './request-context.ts'

/** What Hono's context carries here: the exchange, as its bindings. */
export interface Env {
  Bindings: Exchange
}

interface RouteOf {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Hono's syntax; also the `route` label of metrics and logs. */
  readonly path: string
  /** Other paths to the same handler; they share its label. */
  readonly aliases?: readonly string[]
  /**
   * `application`: also under /v1. `operations`: what the platform asks; it does not count as traffic, nor do
   * `metrics`, what a scraper asks, and `admin`, what changes the instance. Each kind has gates of its own.
   */
  readonly kind: 'application' | 'operations' | 'metrics' | 'admin' | 'page'
  /**
   * Makes its entry in the OpenAPI document; pages and assets for people have none. Made when the document is asked for:
   * the schemas of all entries would make a start longer by a tenth.
   */
  readonly doc?: () => Promise<ZodOpenApiOperationObject>
}

/** A route whose handler works with Hono's context. */
interface HonoRoute extends RouteOf {
  readonly handler: Handler<Env>
}

/** A route with a path of its own letters only, whose handler needs nothing of Hono's: it can be found without it. */
export interface ExactRoute extends RouteOf {
  readonly answer: (request: Request, exchange: Exchange) => Response | Promise<Response>
}

/** One row of the table of routes: how it is asked for, who answers, and what the documents say. */
export type Route = HonoRoute | ExactRoute

/** Something that is done around a handler. */
type Around = (
  request: Request,
  exchange: Exchange,
  handle: () => Response | Promise<Response>,
) => Response | Promise<Response>

/** The same route with something done around its handler, whichever of the two kinds it has. */
export function around(route: Route, wrap: Around): Route {
  if ('answer' in route) {
    const { answer } = route
    return {
      ...route,
      answer: (request, exchange) => wrap(request, exchange, () => answer(request, exchange)),
    }
  }
  const { handler } = route
  return { ...route, handler: (c, next) => wrap(c.req.raw, c.env, () => handler(c, next)) }
}
