import type { Config } from '../config.ts'
import type { Backends } from '../http/routes/health.ts'

/** The configured backends of documents and tasks. A worker has no documents. */
export function describeBackends(
  { DATABASE_URL, REDIS_URL }: Pick<Config, 'DATABASE_URL' | 'REDIS_URL'>,
  role: 'server' | 'worker',
): Backends {
  const database = /^postgres/i.test(DATABASE_URL ?? '') ? 'postgres' : 'sqlite'
  const queue = REDIS_URL === undefined ? database : 'redis'
  return role === 'worker' ? { queue } : { store: database, queue }
}
