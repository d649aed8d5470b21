import type { Config } from '../config.ts'
import type { Backends } from '../http/routes/health.ts'

/** The configured backends of documents and tasks. A worker has no documents. */
export function describeBackends(
  { DATABASE_URL, REDIS_URL, REDIS_DURABLE }: Pick<Config, 'DATABASE_URL' | 'REDIS_URL' | 'REDIS_DURABLE'>,
  role: 'server' | 'worker',
): Backends {
  const database = /^postgres/i.test(DATABASE_URL ?? '') ? 'postgres' : 'sqlite'
  const queue = REDIS_URL === undefined ? database : 'redis'
  const isManaged = queue === 'redis' && REDIS_DURABLE === 'managed'
  const durability = isManaged && { queue_durability: 'managed' as const }
  return role === 'worker' ? { queue, ...durability } : { store: database, queue, ...durability }
}
