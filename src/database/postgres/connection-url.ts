import { DatabaseIncompatible } from '../errors.ts'

/**
 * Settings of a session that this service depends on: time limits that free connections and locks, and how statements and
 * texts are understood. A URL may not change them.
 */
const ownSettings = new Set([
  'statement_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
  'lock_timeout',
  'client_encoding',
  'standard_conforming_strings',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'default_transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
  'transaction_deferrable',
  'session_replication_role',
  'replication',
])

/** The parameters of the connections of a pool. */
export interface ConnectionUrl {
  readonly url: string
  /** Of the path. Passed beside the URL, because PGDATABASE in the environment overrides that. */
  readonly database: string | undefined
  /** The name that the URL gives to the sessions. */
  readonly applicationName: string | undefined
}

/**
 * Parses a URL of PostgreSQL. Its parameters may configure the connection (`sslmode`), name the sessions, and change
 * settings on which this service does not depend (`search_path`, `options=-c geqo=off`).
 *
 * @throws DatabaseIncompatible when it is no URL, names several hosts, or sets what this service sets itself. The message does
 *   not repeat it, because it has a password.
 */
export function parseConnectionUrl(url: string): ConnectionUrl {
  const { hostname, pathname, searchParams } = parse(url)
  if (hostname.includes(','))
    throw new DatabaseIncompatible(
      'the database URL must name one host: put a proxy or a DNS name before several',
    )
  for (const [name, value] of searchParams) {
    const setting = [name, ...(name.toLowerCase() === 'options' ? findSettings(value) : [])].find((one) =>
      ownSettings.has(one.toLowerCase()),
    )
    if (setting !== undefined)
      throw new DatabaseIncompatible(
        `the database URL must not set ${setting}, which the service sets itself: remove it from the parameter ${name}`,
      )
  }
  return {
    url,
    database: decodeURIComponent(pathname.slice(1)) || undefined,
    applicationName: searchParams.get('application_name') || undefined,
  }
}

function parse(url: string): URL {
  try {
    const parsed = new URL(url)
    decodeURIComponent(parsed.pathname)
    return parsed
  } catch {
    // Without a cause: the runtime's error contains the URL.
    throw new DatabaseIncompatible(
      'the database URL is not valid: postgres://user:password@host:port/database',
    )
  }
}

/**
 * The names of the settings in a server's command line options.
 *
 * @example findSettings('-c geqo=off --work-mem=8MB') // ['geqo', 'work_mem']
 */
function findSettings(options: string): string[] {
  return [...options.matchAll(/(?:-c\s*|--)([\w.-]+)\s*=/g)].map(([, name = '']) => name.replaceAll('-', '_'))
}
