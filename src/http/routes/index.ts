import { hostname } from 'node:os'
import { Hono } from 'hono'
import type { Env } from '../env.ts'
import { pageHeaders } from '../middleware/security-headers.ts'
import { respondJson } from '../respond.ts'
import { type ConsoleDeps, consoleForBrowsers, variesByAccept } from './console.ts'
import { type Build, runtime } from './health.ts'

export interface IndexDeps {
  readonly build: Build
  /** Prefix of every path. */
  readonly basePath: string
  /** Whether `/metrics` is served on this port. */
  readonly hasMetrics: boolean
  /** Default: browsers get what every other client gets. */
  readonly console?: Pick<ConsoleDeps, 'load'> | undefined
}

/** GET /: which service answers here and where to go next, or the console for a browser. */
export function indexRoutes({ build, basePath, hasMetrics, console }: IndexDeps) {
  const { service, version, revision } = build
  const about = {
    name: service,
    version,
    revision,
    runtime,
    platform: `${process.platform} ${process.arch}`,
    host: hostname(),
  }
  const links = {
    docs: `${basePath}/docs`,
    openapi: `${basePath}/openapi.json`,
    health: `${basePath}/health`,
    ready: `${basePath}/ready`,
    ...(hasMetrics && { metrics: `${basePath}/metrics` }),
  }
  const routes = new Hono<Env>()
  if (console !== undefined) routes.get('/', consoleForBrowsers(console))
  const headers = console === undefined ? undefined : variesByAccept
  return routes.get('/', pageHeaders(), (c) =>
    respondJson(
      c.get('request'),
      { ...about, uptime_seconds: Math.floor(process.uptime()), ...links },
      headers,
    ),
  )
}
