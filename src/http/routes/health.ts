import { Hono } from 'hono'
import { type Checks, type Lifecycle, liveness, readiness } from '../../lifecycle/index.ts'
import type { Env } from '../env.ts'

/** Identifies the running service. */
export interface Build {
  readonly service: string
  readonly version: string
  readonly revision: string
}

/** The backends of documents and tasks. A process without documents has no store. */
export interface Backends {
  readonly store?: 'sqlite' | 'postgres'
  readonly queue: 'sqlite' | 'postgres' | 'redis'
  /** Set where the platform keeps accepted tasks, and Redis does not show it. */
  readonly queue_durability?: 'managed'
}

/** Its runtime and platform. */
export const runtime = `bun ${Bun.version}`

export interface HealthDeps {
  readonly lifecycle: Lifecycle
  readonly checks: Checks
  readonly build: Build
  readonly backends: Backends
}

/** Other names of the probes; metrics and logs count them under the first name. */
export const probeAliases: Readonly<Record<string, string>> = {
  '/healthz': '/health',
  '/livez': '/health',
  '/readyz': '/ready',
}

/** The probes, which balancers also ask over HTTP/1.0 without a Host. */
export const hostlessProbes = ['/health', '/ready', ...Object.keys(probeAliases)]

/** The questions of a platform: is the process alive, does it accept traffic, which build is it? */
export function healthRoutes({ lifecycle, checks, build, backends }: HealthDeps) {
  const { service, version } = build
  const alive = liveness({
    body: () => ({ service, version, timestamp: new Date().toISOString() }),
  })
  const ready = readiness(lifecycle, checks, { body: () => ({ backends }) })
  return new Hono<Env>()
    .get('/health', alive)
    .get('/healthz', alive)
    .get('/livez', alive)
    .get('/ready', ready)
    .get('/readyz', ready)
    .get('/version', (c) => c.json({ ...build, runtime, backends }))
}
