import { type Config, variableNames } from '../config.ts'
import { closeTimeoutMs, shutdownBudgetMs } from '../lifecycle/index.ts'
import type { LogFields } from '../telemetry/log/log.ts'
import { describeBackends } from './backends.ts'

export interface StartWarning {
  readonly message: string
  readonly fields: LogFields
}

type Role = 'server' | 'worker' | 'supervisor'

/**
 * Finds settings that are probably mistakes: variables with a name close to one of ours, a container that may be killed while
 * it drains, and a production with its data in a file of one host or with admin routes open to the network.
 *
 * @param isContainer whether this process runs in a container
 */
export function findStartWarnings(
  env: Readonly<Record<string, string | undefined>>,
  config: Config,
  role: Role,
  isContainer = false,
): StartWarning[] {
  const misspelled: StartWarning[] = findMisspelled(env).map(({ variable, meant }) => ({
    message: 'unknown variable ignored, is another one meant?',
    fields: { variable, meant },
  }))
  const stopTimeout = isContainer ? findStopTimeoutWarning(config, role) : []
  return [...misspelled, ...stopTimeout, ...findBackendWarning(config, role), ...findAdminWarning(config)]
}

function findBackendWarning(config: Config, role: Role): StartWarning[] {
  const backends = describeBackends(config, role === 'worker' ? 'worker' : 'server')
  if (config.ENVIRONMENT !== 'production' || !Object.values(backends).includes('sqlite')) return []
  return [
    {
      message:
        'production keeps data in a file of this host, set DATABASE_URL=postgres://… for several hosts',
      fields: { ...backends, data_dir: config.DATA_DIR },
    },
  ]
}

function findAdminWarning(config: Config): StartWarning[] {
  const { ENVIRONMENT, METRICS_PORT, ADMIN_TOKEN, HOST, METRICS_HOST = HOST } = config
  if (ENVIRONMENT !== 'production' || METRICS_PORT === undefined || ADMIN_TOKEN !== undefined) return []
  if (isLoopback(METRICS_HOST)) return []
  return [
    {
      message: 'admin routes are open to the network, set ADMIN_TOKEN or METRICS_HOST=127.0.0.1',
      fields: { metrics_host: METRICS_HOST, metrics_port: METRICS_PORT },
    },
  ]
}

/** How long `docker stop` and `podman stop` wait by default, in ms. */
const defaultStopTimeoutMs = 10_000

/** No program can ask its platform how long a stop may take. `GRACE_PERIOD` says it, and is checked elsewhere. */
function findStopTimeoutWarning(config: Config, role: Role): StartWarning[] {
  // The tasks of a worker that is killed are run again; the requests of a server are lost.
  if (role === 'worker' || config.GRACE_PERIOD > 0) return []
  const budgetMs = shutdownBudgetMs({
    preStopMs: 0,
    drainMaxMs: config.DRAIN_MAX,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
    closeTimeoutMs,
  })
  if (budgetMs <= defaultStopTimeoutMs) return []
  const seconds = Math.ceil(budgetMs / 1_000) + 5
  return [
    {
      message:
        'the stop timeout of this container is unknown, and a stop by default kills it before it has drained',
      fields: {
        budget_ms: budgetMs,
        default_stop_timeout_ms: defaultStopTimeoutMs,
        remedy: `run it with --stop-timeout ${seconds} --env GRACE_PERIOD=${seconds}s`,
      },
    },
  ]
}

const isLoopback = (host: string): boolean => /^(127\.|::1$|localhost\.?$)/i.test(host)

/** Names that other programs use for one of our variables. */
const synonyms: Readonly<Record<string, string>> = {
  DATABASE_URI: 'DATABASE_URL',
  DB_URL: 'DATABASE_URL',
  POSTGRES_URL: 'DATABASE_URL',
  POSTGRESQL_URL: 'DATABASE_URL',
  REDIS_URI: 'REDIS_URL',
  LISTEN_PORT: 'PORT',
  HTTP_PORT: 'PORT',
  LOGLEVEL: 'LOG_LEVEL',
  WORKERS: 'WEB_CONCURRENCY',
}

/** Names with fewer letters are too close to too many others. */
const minLength = 6
/** Names with at least this many letters may have two typing errors. */
const longLength = 10

/**
 * The variables whose name is close to one of ours that is not set. Values are ignored.
 *
 * @example findMisspelled({ RATELIMIT: '10/1s' }) // [{ variable: 'RATELIMIT', meant: 'RATE_LIMIT' }]
 */
export function findMisspelled(
  env: Readonly<Record<string, string | undefined>>,
): { readonly variable: string; readonly meant: string }[] {
  const known = new Set(variableNames)
  return Object.keys(env).flatMap((variable) => {
    if (known.has(variable)) return []
    const meant = findMeant(variable)
    return meant === undefined || env[meant] !== undefined ? [] : [{ variable, meant }]
  })
}

function findMeant(variable: string): string | undefined {
  const synonym = synonyms[variable.toUpperCase()]
  if (synonym !== undefined) return synonym
  const letters = normalize(variable)
  return variableNames.find((name) => {
    const own = normalize(name)
    if (letters === own) return true
    const shorter = Math.min(letters.length, own.length)
    return shorter >= minLength && editDistance(letters, own) <= (shorter >= longLength ? 2 : 1)
  })
}

/** A name without case and separators. */
function normalize(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '')
}

/** The insertions, deletions and substitutions that turn one text into another (Levenshtein). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const current = [i]
    for (let j = 1; j <= to.length; j++) {
      const substituted = (previous[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      current.push(Math.min(substituted, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}
