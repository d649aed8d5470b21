import { type AccessRecord, createAccessLine, formatMs, quoteText } from './access-line.ts'
import type { BufferedWriter } from './buffered-writer.ts'
import { describeError, findPosition, maxCauses, redactCredentials } from './describe-error.ts'
import { escapeUnprintable } from './escape-unprintable.ts'
import type { LogLevel } from './log-level.ts'

export type { LogLevel } from './log-level.ts'
export type LogFormat = 'json' | 'pretty'
export type LogFields = Readonly<Record<string, unknown>>

const severity: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }

export interface Log {
  level: LogLevel
  /** Returns fields for every line except access lines; called for each line. Default: no fields. */
  context: () => LogFields | undefined
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** Writes the access line of one answered request. */
  access(level: LogLevel, record: AccessRecord, status: number, durationMs: number): void
  /** Resolves when every line so far has been written. Await it before the process exits. */
  flush(): Promise<void>
}

export interface ProcessIdentity {
  readonly role: 'server' | 'worker' | 'supervisor' | 'migration'
  readonly pid: number
  /** Which of several processes on one port, from 1. Default: there is only one. */
  readonly process?: number | undefined
}

export interface LogOptions {
  readonly level: LogLevel
  readonly format: LogFormat
  readonly service: string
  readonly instance: string
  /** The process that writes: on every line, because several processes may share one stream. */
  readonly process: ProcessIdentity
  readonly writer: BufferedWriter
  /** Epoch milliseconds. Default Date.now. */
  readonly now?: () => number
}

/**
 * Creates the log of the service: one JSON object a line with `time`, `level`, `msg`, `service`, `instance` and the
 * process, then the fields of the line. An error among the fields is written with its name, message, stack and cause;
 * URLs in it lose their credentials. Text may come from clients, so characters that a terminal would obey are escaped in
 * both formats.
 */
export function createLog(options: LogOptions): Log {
  const { format, service, instance, writer, now = Date.now } = options
  const timestamp = createTimestamp(now)
  const { role, pid, process } = options.process
  const identity = escapeUnprintable(JSON.stringify({ service, instance, role, pid, process })).slice(1, -1)
  const sharesStream = process !== undefined || role === 'supervisor'
  const prettyEnd = sharesStream ? ` pid=${pid}\n` : '\n'
  const accessLine = createAccessLine(identity, timestamp)

  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (severity[level] < severity[log.level]) return
    writer.write(
      format === 'pretty'
        ? formatPretty(timestamp(), level, message, { ...log.context(), ...fields }, prettyEnd)
        : `{"time":"${timestamp()}","level":"${level}","msg":${quoteText(message)},${identity}${formatFields({ ...log.context(), ...fields })}}\n`,
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
      writer.write(
        format === 'pretty'
          ? formatPrettyAccess(
              timestamp(record.startedAt + durationMs),
              record,
              status,
              durationMs,
              prettyEnd,
            )
          : accessLine(level, record, status, durationMs),
      )
    },
    flush: () => writer.flush(),
  }
  return log
}

function formatPrettyAccess(
  time: string,
  record: AccessRecord,
  status: number,
  durationMs: number,
  end: string,
): string {
  const { requestId, method, route, client, fault, problem, cause, taskId, details = {} } = record
  const { clientAddress, path, userAgent } = details
  const parts = [client, clientAddress, path, userAgent].map((text) =>
    text === undefined ? '' : ` ${quoteText(text)}`,
  )
  const named = Object.entries({ code: problem, cause, fault, task_id: taskId }).map(([name, text]) =>
    text === undefined ? '' : ` ${name}=${plainOrQuoted(text)}`,
  )
  return `${time.slice(11, 23)} ${status} ${method.padEnd(4)} ${route} ${formatMs(durationMs)} ms  ${requestId}${parts.join('')}${named.join('')}${end}`
}

/**
 * Returns a function that formats the current time as RFC 3339 in UTC with milliseconds. Lines come in bursts, so the
 * text is formatted once a millisecond.
 *
 * A caller that has read `performance.now()` passes it. Then the clock is read at most once a millisecond, because
 * reading it costs more than the rest of an access line's head; a time may be one millisecond early.
 */
function createTimestamp(now: () => number): (at?: number) => string {
  let last = Number.NaN
  let text = ''
  let readAt = Number.NaN
  return (at = Number.NaN) => {
    // False if either value is NaN, and after a clock was set back.
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

/** Formats fields as the last members of a JSON object. */
function formatFields(fields: LogFields): string {
  const members = escapeUnprintable(stringify(fields)).slice(1, -1)
  return members === '' ? '' : `,${members}`
}

/** Fields as JSON. A field that cannot be serialized (a cycle, a throwing `toJSON`) does not affect the others. */
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

/** Errors have no enumerable properties: without a replacer they would be logged as `{}`. */
function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Error ? toPlainError(value, 0) : value
}

function toPlainError(error: Error, depth: number): object {
  const { name, cause } = error
  const position = findPosition(error)
  const plain = (inner: unknown) =>
    inner instanceof Error && depth < maxCauses ? toPlainError(inner, depth + 1) : describeError(inner)
  return {
    name,
    message: redactCredentials(error.message),
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    ...(position !== undefined && { position }),
    stack: error.stack && redactCredentials(error.stack),
    ...(error instanceof AggregateError && depth < maxCauses && { errors: error.errors.map(plain) }),
    ...(cause !== undefined && depth < maxCauses && { cause: plain(cause) }),
  }
}

const colors: Readonly<Record<LogLevel, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[36m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}

function formatPretty(
  time: string,
  level: LogLevel,
  message: string,
  fields: LogFields,
  end: string,
): string {
  const parts = Object.entries(fields).map(([key, value]) => {
    if (value instanceof Error) return formatPrettyError(value, 0)
    return ` ${escapeUnprintable(key)}=${plainOrQuoted(value)}`
  })
  return `${time.slice(11, 23)} ${colors[level]}${level.padEnd(5)}\x1b[0m ${escapeUnprintable(message)}${parts.join('')}${end}`
}

/** Values are quoted unless they are plain words, so that no value can forge a line. */
function plainOrQuoted(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/-]+$/.test(value) ? value : quote(value)
}

/** Any value as JSON. */
function quote(value: unknown): string {
  return escapeUnprintable(stringify({ value })).slice('{"value":'.length, -1)
}

/** The stack, then the causes, indented: a message with line breaks cannot forge a line. */
function formatPrettyError(error: Error, depth: number): string {
  const { stack, message, cause } = error
  const position = findPosition(error)
  const place = position === undefined ? '' : `\n    at ${position}`
  const lines = redactCredentials(`${stack ?? message}${place}`)
    .split('\n')
    .map(escapeUnprintable)
  const several = error instanceof AggregateError && depth < maxCauses ? error.errors : []
  const text = `\n    ${lines.join('\n    ')}${several.map((one) => formatPrettyCause(one, depth)).join('')}`
  return cause === undefined || depth === maxCauses
    ? text
    : `${text}\n  caused by:${formatPrettyCause(cause, depth)}`
}

function formatPrettyCause(cause: unknown, depth: number): string {
  return cause instanceof Error ? formatPrettyError(cause, depth + 1) : ` ${redactCredentials(quote(cause))}`
}
