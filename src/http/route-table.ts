import type { Context, Hono } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Env } from './env.ts'
import { probeAliases } from './routes/health.ts'

export interface RouteTableOptions {
  /** Prefix of every path. */
  readonly basePath: string
  /** The paths of probes, metrics and admin routes, without parameters. */
  readonly probePaths: ReadonlySet<string>
  /** Whether middleware answers CORS preflights of all other paths. */
  readonly hasCors: boolean
}

/** The methods that routes have; a GET also answers HEAD. */
export const routedMethods = ['GET', 'POST', 'PUT', 'DELETE'] as const

/** Middleware is registered for all methods, a handler for one. */
const isHandler = ({ method }: { readonly method: string }): boolean => method !== 'ALL'

/** The routes of a Hono app, as the request context needs them. */
export class RouteTable {
  readonly #hono: Hono<Env>
  readonly #options: RouteTableOptions
  /** The labels of routes without parameters, by `METHOD path`. */
  readonly #labels = new Map<string, string>()
  /** The paths of those routes. */
  readonly #staticPaths = new Set<string>()

  constructor(hono: Hono<Env>, options: RouteTableOptions) {
    this.#hono = hono
    this.#options = options
  }

  /**
   * Call it when all routes are registered.
   *
   * @returns the labels of all routes
   */
  complete(): ReadonlySet<string> {
    const labels = new Set<string>()
    for (const { method, path } of this.#hono.routes.filter(isHandler)) {
      labels.add(this.#label(path))
      if (path.includes(':')) continue
      this.#labels.set(`${method} ${path}`, this.#label(path))
      this.#staticPaths.add(path)
    }
    return labels
  }

  /**
   * The label of the route that answers a request, for metrics and logs: one for all paths of a route.
   *
   * @returns undefined when none does: the response is a 404 or 405
   */
  findLabel(c: Context<Env>, method: string): string | undefined {
    const label = this.#labels.get(`${method === 'HEAD' ? 'GET' : method} ${c.req.path}`)
    if (label !== undefined) return label
    // A path such as /tasks/stats also matches the route of ids, which has other methods.
    const isStatic = this.#staticPaths.has(c.req.path)
    const path = isStatic ? undefined : matchedRoutes(c).findLast(isHandler)?.path
    if (path !== undefined) return this.#label(path)
    const isPreflight = this.#options.hasCors && method === 'OPTIONS' && !this.isProbe(c.req.path)
    return isPreflight ? this.findAllowed(c)?.label : undefined
  }

  /** True for probes, scrapes and admin requests. */
  isProbe(path: string): boolean {
    return this.#options.probePaths.has(path)
  }

  /**
   * The methods that the path of a request supports, and the label of its route. `hono/method-not-allowed` finds them by a
   * middleware around every request; here they are looked up only when no route matched.
   */
  findAllowed({
    req,
  }: Context<Env>): { readonly methods: readonly string[]; readonly label: string } | undefined {
    const found = routedMethods.flatMap((method) => {
      const path = this.#matchPath(method, req.path)
      return path === undefined ? [] : [{ method, path }]
    })
    // Of a path such as /tasks/retry, not those of the route of ids, which also matches.
    const first = found.find(({ path }) => path === req.path) ?? found[0]
    if (first === undefined) return undefined
    const ofRoute = found.filter(({ path }) => path === first.path)
    const methods = ofRoute.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    return { methods, label: this.#label(first.path) }
  }

  /** The path of the route that would answer a request with another method. */
  #matchPath(method: string, path: string): string | undefined {
    const [handlers] = this.#hono.router.match(method, path)
    return handlers.find(([[, route]]) => isHandler(route))?.[0][1].path
  }

  #label(path: string): string {
    const { basePath } = this.#options
    const below = path === basePath || path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path
    const label = below.startsWith('/v1/') ? below.slice(3) : below || '/'
    return probeAliases[label] ?? label
  }
}
