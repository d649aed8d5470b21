import { createAccessLine, decimalOf } from './access-line.ts'
import type { LineSink } from './buffered-writer.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFormat = 'json' | 'pretty'
export type LogFields = Readonly<Record<string, unknown>>

const severity: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }

/** A request, as the access log tells it. */
export interface AccessRecord {
  /** `performance.now()` when it came. */
  readonly startedAt: number
  /** Already checked to hold nothing but `[A-Za-z0-9._-]`. */
  readonly requestId: string
  readonly method: string
  /** The template, never the path that was asked for. */
  readonly route: string
  /** Who asked, where that is known; any text. */
  readonly client?: string | undefined
  /** What was done to it on purpose: letters and commas. */
  readonly fault?: string | undefined
  /** Where it belongs in a trace: hexadecimal. */
  readonly trace?: { readonly ids: { readonly trace_id: string; readonly span_id: string } } | undefined
}

export interface Log {
  level: LogLevel
  /** Fields of every line but those about requests, as of the moment it is written. Default: none. */
  context: () => LogFields | undefined
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** One line about one answered request. */
  access(level: LogLevel, record: AccessRecord, status: number, durationMs: number): void
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
  const accessLine = createAccessLine(identity, timestamp)

  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (severity[level] < severity[log.level]) return
    sink.write(
      format === 'pretty'
        ? pretty(timestamp(), level, message, { ...log.context(), ...fields })
        : `{"time":"${timestamp()}","level":"${level}","msg":${JSON.stringify(message)},${identity}${rest({ ...log.context(), ...fields })}}\n`,
    )
  }

  const log: Log = {
    level: options.level,
    context: () => undefined,
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    access(level, record, status, durationMs) {
      if (severity[level] < severity[log.level]) return
      sink.write(
        format === 'pretty'
          ? prettyAccess(timestamp(record.startedAt + durationMs), record, status, durationMs)
          : accessLine(level, record, status, durationMs),
      )
    },
    flush: () => sink.flush(),
  }
  return log
}

function prettyAccess(
  time: string,
  { requestId, method, route, client, fault }: AccessRecord,
  status: number,
  durationMs: number,
): string {
  const who = client === undefined ? '' : ` ${JSON.stringify(client)}`
  const what = fault === undefined ? '' : ` fault=${fault}`
  return `${time.slice(11, 23)} ${status} ${method.padEnd(4)} ${route} ${decimalOf(durationMs)} ms  ${requestId}${who}${what}\n`
}

/**
 * RFC 3339 in UTC with milliseconds; formatted once a millisecond, for lines come in bursts.
 *
 * Who has read the other clock already (`performance.now()`) says so: this one is then read once a millisecond, too, and
 * a time may be one millisecond early. Reading it costs 0.06 µs, more than the rest of a line's head.
 */
function cachedTimestamp(now: () => number): (at?: number) => string {
  let last = Number.NaN
  let text = ''
  let readAt = Number.NaN
  return (at = Number.NaN) => {
    // False without either of them, and when a clock was set back.
    if (at - readAt >= 0 && at - readAt < 1) return text
    const time = now()
    readAt = at
    if (time !== last) {
      last = time
      text = new Date(time).toISOString()
    }
    return text
  }
}

/** The fields as the tail of a JSON object. */
function rest(fields: LogFields): string {
  const own = stringify(fields).slice(1, -1)
  return own === '' ? '' : `,${own}`
}

/** JSON of fields. One that cannot be written (a cycle, a throwing `toJSON`) must not cost the others. */
function stringify(fields: LogFields): string {
  try {
    return JSON.stringify(fields, replacer)
  } catch {
    const members = Object.entries(fields).map(([key, value]) => {
      try {
        return [key, JSON.parse(JSON.stringify(value, replacer) ?? 'null')]
      } catch (error) {
        return [key, `cannot be written: ${error instanceof Error ? error.message : error}`]
      }
    })
    return JSON.stringify(Object.fromEntries(members))
  }
}

/** Errors have no enumerable properties: without this they would be logged as `{}`. */
function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Error ? errorMembers(value, 0) : value
}

/** An error may be its own cause, by way of others. */
const causesMax = 8

function errorMembers(error: Error, depth: number): object {
  const { name, message, stack, cause } = error
  if (cause === undefined || depth === causesMax) return { name, message, stack }
  return { name, message, stack, cause: cause instanceof Error ? errorMembers(cause, depth + 1) : cause }
}

const colours: Readonly<Record<LogLevel, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[36m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}

function pretty(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const shown = Object.entries(fields).map(([key, value]) => {
    if (value instanceof Error) return prettyError(value, 0)
    // Quoted unless it is a plain word, so that no value can write a line of its own.
    const plain = typeof value === 'string' && /^[\w.:/-]+$/.test(value)
    return ` ${key}=${plain ? value : quoted(value)}`
  })
  return `${time.slice(11, 23)} ${colours[level]}${level.padEnd(5)}\x1b[0m ${message}${shown.join('')}\n`
}

/** Any value as JSON. */
function quoted(value: unknown): string {
  return stringify({ value }).slice('{"value":'.length, -1)
}

/** The stack, then its causes, indented: an error's message may hold line breaks and terminal controls. */
function prettyError({ stack, message, cause }: Error, depth: number): string {
  const lines = (stack ?? message).split('\n').map((line) => line.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, ' '))
  const own = `\n    ${lines.join('\n    ')}`
  if (cause === undefined || depth === causesMax) return own
  const why = cause instanceof Error ? prettyError(cause, depth + 1) : ` ${quoted(cause)}`
  return `${own}\n  caused by:${why}`
}
