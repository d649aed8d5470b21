import type { LineSink } from './line-sink.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFormat = 'json' | 'pretty'
export type LogFields = Readonly<Record<string, unknown>>

const severity: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }

/** One answered request, as the access log tells it. */
export interface AccessRecord {
  /** Already checked to hold nothing but `[A-Za-z0-9._-]`. */
  readonly requestId: string
  readonly method: string
  /** The template, never the path that was asked for. */
  readonly route: string
  readonly status: number
  readonly durationMs: number
}

export interface Log {
  level: LogLevel
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** One line about one request. */
  access(level: LogLevel, record: AccessRecord): void
  /** Resolves when every line so far is written. Await it before the process exits. */
  flush(): Promise<void>
}

export interface LogOptions {
  readonly level: LogLevel
  readonly format: LogFormat
  readonly service: string
  readonly instance: string
  readonly sink: LineSink
  /** Epoch milliseconds. Default Date.now. */
  readonly now?: () => number
}

/**
 * The service's log: one JSON object a line with `time`, `level`, `msg`, `service`, `instance`, then the
 * line's own fields. Errors among the fields are written with their message, stack and cause.
 */
export function createLog(options: LogOptions): Log {
  const { format, service, instance, sink, now = Date.now } = options
  const timestamp = cachedTimestamp(now)
  const identity = `"service":${JSON.stringify(service)},"instance":${JSON.stringify(instance)}`

  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (severity[level] < severity[log.level]) return
    sink.write(
      format === 'pretty'
        ? pretty(timestamp(), level, message, fields)
        : `{"time":"${timestamp()}","level":"${level}","msg":${JSON.stringify(message)},${identity}${rest(fields)}}\n`,
    )
  }

  const log: Log = {
    level: options.level,
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    access(level, { requestId, method, route, status, durationMs }) {
      if (severity[level] < severity[log.level]) return
      const duration = durationMs.toFixed(3)
      if (format === 'pretty') {
        sink.write(
          `${timestamp().slice(11, 23)} ${status} ${method.padEnd(4)} ${route} ${duration} ms  ${requestId}\n`,
        )
        return
      }
      // Every part is ours or checked, so nothing needs escaping: a third of JSON.stringify's cost.
      sink.write(
        `{"time":"${timestamp()}","level":"${level}","msg":"request",${identity},"request_id":"${requestId}",` +
          `"method":"${method}","route":"${route}","status":${status},"duration_ms":${duration}}\n`,
      )
    },
    flush: () => sink.flush(),
  }
  return log
}

/** RFC 3339 in UTC with milliseconds; formatted once a millisecond, for lines come in bursts. */
function cachedTimestamp(now: () => number): () => string {
  let last = Number.NaN
  let text = ''
  return () => {
    const time = now()
    if (time !== last) {
      last = time
      text = new Date(time).toISOString()
    }
    return text
  }
}

/** The fields as the tail of a JSON object. */
function rest(fields: LogFields): string {
  const own = JSON.stringify(fields, replacer).slice(1, -1)
  return own === '' ? '' : `,${own}`
}

/** Errors have no enumerable properties: without this they would be logged as `{}`. */
function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (!(value instanceof Error)) return value
  return {
    name: value.name,
    message: value.message,
    stack: value.stack,
    ...(value.cause === undefined ? {} : { cause: value.cause }),
  }
}

const colours: Readonly<Record<LogLevel, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[36m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}

function pretty(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const shown = Object.entries(fields).map(([key, value]) => {
    if (value instanceof Error) return `\n  ${value.stack ?? value.message}`
    // Quoted unless it is a plain word, so that no value can write a line of its own.
    const plain = typeof value === 'string' && /^[\w.:/-]+$/.test(value)
    return ` ${key}=${plain ? value : JSON.stringify(value, replacer)}`
  })
  return `${time.slice(11, 23)} ${colours[level]}${level.padEnd(5)}\x1b[0m ${message}${shown.join('')}\n`
}
