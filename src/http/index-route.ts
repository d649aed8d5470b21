import { hostname } from 'node:os'
import { json } from './exchange.ts'
import { type Build, runtime } from './operations.ts'
import type { Route } from './route.ts'

/**
 * GET /: who answers here, and where to go on.
 *
 * @param metricsMoved whether `/metrics` is on a port of its own.
 */
export function indexRoute({ service, version, revision }: Build, metricsMoved = false): Route {
  const about = {
    name: service,
    version,
    revision,
    runtime,
    platform: `${process.platform} ${process.arch}`,
    host: hostname(),
  }
  const links = {
    docs: '/docs',
    openapi: '/openapi.json',
    health: '/health',
    ready: '/ready',
    ...(metricsMoved ? {} : { metrics: '/metrics' }),
  }
  return {
    method: 'GET',
    path: '/',
    kind: 'page',
    answer: (_, exchange) =>
      json(exchange, { ...about, uptime_seconds: Math.floor(process.uptime()), ...links }),
  }
}
