import { Hono } from 'hono'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { type Gate, type Gates, inOrder } from './middleware/check.ts'
import { compressed } from './middleware/compress.ts'
import { tracedRoute } from './middleware/tracing.ts'
import type { Problems } from './problem.ts'
import type { Exchange } from './request-context.ts'
import { pathOf } from './request-path.ts'
import { around, type Env, type ExactRoute, type Route } from './route.ts'

export interface RouterOptions {
  readonly gates?: Gates
  /** Before every path, such as `/tally`; see `pathsOf`. Default: nothing. */
  readonly basePath?: string
  /** The headers of the answer to OPTIONS at a path with these methods. Default: OPTIONS is not answered. */
  readonly preflight?: ((request: Request, methods: readonly string[]) => Record<string, string>) | undefined
  /** Whether large answers are compressed for clients that ask for it. Default false. */
  readonly compress?: boolean
  /** Default: nothing is traced. */
  readonly tracing?: Tracing | undefined
}

export type Router = (request: Request, exchange: Exchange) => Response | Promise<Response>

/**
 * From one table of routes two ways to its handlers. Hono knows every route. A route whose handler needs
 * nothing of Hono's (`answer`) is also found by its exact path, in a map: for a small payload, Hono's
 * dispatch and context are a tenth of the cost. Whatever the map does not know, such as the same path with
 * encoded characters, comes to the same handler through Hono.
 *
 * On both ways a handler stands behind the gates of its route's kind. Where there are none, and nothing is traced, it
 * is called as it is.
 */
export function createRouter(
  routes: readonly Route[],
  problems: Problems,
  { gates = {}, basePath = '', preflight, tracing, compress = false }: RouterOptions = {},
): Router {
  const gated = routes.map((route) => {
    const answering = compress ? compressing(route) : route
    const behindGates = behind(inOrder(gates[route.kind] ?? []), answering, problems)
    return tracing === undefined || isBackgroundKind(route.kind)
      ? behindGates
      : tracedRoute(behindGates, tracing)
  })
  const hono = createHono(gated, problems, basePath, preflight)
  const exactRouteOf = createExactLookup(gated, basePath)

  return (request, exchange) => {
    const route = exactRouteOf(request)
    if (route !== undefined) {
      enter(exchange, route)
      return route.answer(request, exchange)
    }
    // HEAD goes as GET, whose body the server drops: Hono would drop it here, and its length with it.
    return hono.fetch(request.method === 'HEAD' ? new Request(request, { method: 'GET' }) : request, exchange)
  }
}

/** Makes the function that finds a route of those that can be found by their exact path. */
function createExactLookup(
  routes: readonly Route[],
  basePath: string,
): (request: Request) => ExactRoute | undefined {
  const exact = new Map<string, ExactRoute>()
  for (const route of routes)
    if ('answer' in route)
      for (const path of pathsOf(route, basePath)) exact.set(`${route.method} ${path}`, route)

  // What comes is mostly what came before, and to compare it costs 0.01 µs where to take it apart costs 0.09.
  let lastUrl = ''
  let lastMethod = ''
  let last: ExactRoute | undefined
  return ({ url, method }) => {
    if (url !== lastUrl || method !== lastMethod) {
      last = exact.get(`${method} ${pathOf(url)}`)
      lastUrl = url
      lastMethod = method
    }
    return last
  }
}

/**
 * Every path of a route: its own, its aliases, and for the application's routes all of them under /v1. Below a base
 * path stands all of it; what the platform asks also stays where it was, for it asks past what has the base path.
 */
export function pathsOf({ path, aliases = [], kind }: Route, basePath = ''): string[] {
  const own = [path, ...aliases].flatMap((one) => (kind === 'application' ? [one, `/v1${one}`] : [one]))
  if (basePath === '') return own
  const below = own.flatMap((one) => (one === '/' ? [basePath, `${basePath}/`] : [basePath + one]))
  return isBackgroundKind(kind) ? [...below, ...own] : below
}

/** True for what the platform asks and does: it is not traffic. */
export function isBackgroundKind(kind: Route['kind']): boolean {
  return kind !== 'application' && kind !== 'page'
}

/** What the exchange is from now on, for metrics and log. */
function enter(exchange: Exchange, { path, kind }: Route): void {
  exchange.route = path
  exchange.background = isBackgroundKind(kind)
}

/** The same route, its large answers compressed. What computes an answer of its own (`answer`) makes none. */
function compressing(route: Route): Route {
  if ('answer' in route || route.method !== 'GET' || isBackgroundKind(route.kind)) return route
  const { handler } = route
  return {
    ...route,
    handler: async (c, next) => compressed(c.req.raw, c.env, (await handler(c, next)) as Response),
  }
}

/** The same route, its handler called only when the gate lets pass. */
function behind(gate: Gate | undefined, route: Route, problems: Problems): Route {
  if (gate === undefined) return route
  return around(route, (request, exchange, handle) => {
    const refusal = gate(request, exchange)
    if (refusal === undefined) return handle()
    if (!(refusal instanceof Promise)) return problems.answer(exchange, refusal)
    return refusal.then((one) => (one === undefined ? handle() : problems.answer(exchange, one)))
  })
}

/** Every route under its paths, and for a known path with another method the 405 that names the right ones. */
function createHono(
  routes: readonly Route[],
  problems: Problems,
  basePath: string,
  preflight: RouterOptions['preflight'],
): Hono<Env> {
  const hono = new Hono<Env>()
  const allowed = new Map<string, { route: string; kind: Route['kind']; methods: string[] }>()
  for (const route of routes) {
    for (const path of pathsOf(route, basePath)) {
      hono.on(route.method, path, (c, next) => {
        enter(c.env, route)
        return 'answer' in route ? route.answer(c.req.raw, c.env) : route.handler(c, next)
      })
      const known = allowed.get(path) ?? { route: route.path, kind: route.kind, methods: [] }
      known.methods.push(...(route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))
      allowed.set(path, known)
    }
  }
  for (const [path, { route, kind, methods }] of allowed) {
    const allow = methods.join(', ')
    hono.all(path, (c) => {
      c.env.route = route
      // No other site's page has any business at what is not for clients.
      if (preflight !== undefined && c.req.method === 'OPTIONS' && !isBackgroundKind(kind))
        return new Response(null, { status: 204, headers: preflight(c.req.raw, methods) })
      const detail = `${route} answers ${allow}.`
      return problems.answer(c.env, { code: 'method-not-allowed', detail, headers: { allow } })
    })
  }
  hono.notFound((c) => problems.answer(c.env, { code: 'not-found', detail: 'No route has this path.' }))
  // Whatever a handler throws is one thing to the outside; fetch.ts logs it.
  hono.onError((error) => {
    throw error
  })
  return hono
}
