import { hostname } from 'node:os'
import { json } from '../request-context.ts'
import type { Route } from '../route.ts'
import { type Build, runtime } from './health.ts'

/**
 * GET /: who answers here, and where to go on.
 *
 * @param metricsMoved whether `/metrics` is on a port of its own.
 * @param basePath before every path of the service.
 */
export function indexRoute(
  { service, version, revision }: Build,
  metricsMoved = false,
  basePath = '',
): Route {
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
    ...(metricsMoved ? {} : { metrics: `${basePath}/metrics` }),
  }
  return {
    method: 'GET',
    path: '/',
    kind: 'page',
    answer: (_, exchange) =>
      json(exchange, { ...about, uptime_seconds: Math.floor(process.uptime()), ...links }),
  }
}
