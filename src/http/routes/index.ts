import { hostname } from 'node:os'
import { Hono } from 'hono'
import type { Env } from '../env.ts'
import { pageHeaders } from '../middleware/security-headers.ts'
import { type Build, runtime } from './health.ts'

export interface IndexDeps {
  readonly build: Build
  /** Prefix of every path. */
  readonly basePath: string
  /** Whether `/metrics` is served on this port. */
  readonly hasMetrics: boolean
}

/** GET /: which service answers here, and where to go next. */
export function indexRoutes({ build, basePath, hasMetrics }: IndexDeps) {
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
  return new Hono<Env>()
    .use('/', pageHeaders())
    .get('/', (c) => c.json({ ...about, uptime_seconds: Math.floor(process.uptime()), ...links }))
}
