import { escapeUnprintable } from './escape-unprintable.ts'
import type { LogLevel } from './log-level.ts'

/** The values of a request in the access log. */
export interface AccessRecord {
  /** `performance.now()` when the request arrived. */
  readonly startedAt: number
  /** Only `[A-Za-z0-9._-]`: checked before. */
  readonly requestId: string
  readonly method: string
  /** The route template, never the raw path. */
  readonly route: string
  /** The authenticated client; any text. */
  readonly client?: string | undefined
  /** The injected faults: letters and commas. */
  readonly fault?: string | undefined
  /** The trace and the span of the request, in hexadecimal. */
  readonly trace?: { readonly ids: { readonly trace_id: string; readonly span_id: string } } | undefined
  /** The code of the problem in the response: lower-case letters, digits and hyphens. */
  readonly problem?: string | undefined
  /** Why the request failed; any text. */
  readonly cause?: string | undefined
  /** The task that the request added, retried or cancelled; any text. */
  readonly taskId?: string | undefined
  /** Bytes of the request body, if it was read. */
  readonly requestBytes?: number | undefined
  /** Bytes of the response body, if known. */
  readonly responseBytes?: number | undefined
  /** Logged only if an operator enables it. */
  readonly details?: AccessDetails | undefined
}

/** Values that may identify a person. Any text. */
export interface AccessDetails {
  readonly clientAddress?: string | undefined
  readonly path?: string | undefined
  readonly userAgent?: string | undefined
}

/**
 * Creates the function that formats the access log line of one answered request as JSON.
 *
 * This file is optimized, because every request pays for its line. All values but the client are created or checked
 * by the service and need no escaping. The part before the request id is the same for every line of one millisecond,
 * and the part after it is mostly the same as in the previous line, so both are cached.
 *
 * @param identity the members that name the service, as JSON without braces
 * @param timestamp formats the time at some value of `performance.now()`; returns the same string while the time is
 *   the same
 */
export function createAccessLine(
  identity: string,
  timestamp: (at: number) => string,
): (level: LogLevel, record: AccessRecord, status: number, durationMs: number) => string {
  let headTime = ''
  let headLevel: LogLevel = 'info'
  let head = ''
  const getHead = (level: LogLevel, at: number): string => {
    const time = timestamp(at)
    if (time !== headTime || level !== headLevel) {
      head = `{"time":"${time}","level":"${level}","msg":"request",${identity},"request_id":"`
      headTime = time
      headLevel = level
    }
    return head
  }

  let lastMethod = ''
  let lastRoute = ''
  let lastStatus = 0
  let lastBytes: number | undefined
  let middle = ''
  const getMiddle = ({ method, route, requestBytes }: AccessRecord, status: number): string => {
    if (status !== lastStatus || route !== lastRoute || method !== lastMethod || requestBytes !== lastBytes) {
      const bytes = requestBytes === undefined ? '' : `"request_bytes":${requestBytes},`
      middle = `","method":"${method}","route":"${route}","status":${status},${bytes}"duration_ms":`
      lastBytes = requestBytes
      lastMethod = method
      lastRoute = route
      lastStatus = status
    }
    return middle
  }

  return (level, record, status, durationMs) =>
    `${getHead(level, record.startedAt + durationMs)}${record.requestId}${getMiddle(record, status)}${formatMs(durationMs)}${formatTail(record)}`
}

/**
 * Formats a duration with three decimals, rounded. `toFixed(3)` is slower.
 *
 * @example formatMs(12.3456) // '12.346'
 */
export function formatMs(durationMs: number): string {
  const micros = Math.round(durationMs * 1_000)
  const remainder = micros % 1_000
  return `${(micros - remainder) / 1_000}${thousandths[remainder]}`
}

/** `.000` to `.999`: a lookup is faster than formatting and allocates nothing. */
const thousandths = Array.from({ length: 1_000 }, (_, i) => `.${String(i).padStart(3, '0')}`)

/** A client as JSON. Clients repeat their requests, so the last one is cached. */
const quoteClient = createClientQuote()

function createClientQuote(): (client: string) => string {
  let last = ''
  let quoted = '""'
  return (client) => {
    if (client !== last) {
      quoted = quoteText(client)
      last = client
    }
    return quoted
  }
}

/** Any text as JSON, with escapes for characters that a terminal would execute. */
export function quoteText(text: string): string {
  return escapeUnprintable(JSON.stringify(text))
}

/** The ends of plain lines by the bytes of their response: most are short, and a lookup is faster than formatting. */
const plainEnds: string[] = []
const shortResponseBytes = 1_024

function formatPlainEnd(responseBytes: number | undefined): string {
  if (responseBytes === undefined) return '}\n'
  if (responseBytes >= shortResponseBytes) return `,"response_bytes":${responseBytes}}\n`
  plainEnds[responseBytes] ??= `,"response_bytes":${responseBytes}}\n`
  return plainEnds[responseBytes]
}

/** The optional members and the end of the line. */
function formatTail(record: AccessRecord): string {
  const { problem, cause, client, fault, trace, taskId, details, responseBytes } = record
  const end = formatPlainEnd(responseBytes)
  if (
    problem === undefined &&
    client === undefined &&
    details === undefined &&
    trace === undefined &&
    fault === undefined &&
    taskId === undefined
  )
    return end
  return (
    (problem === undefined ? '' : `,"code":"${problem}"`) +
    formatText('cause', cause) +
    (client === undefined ? '' : `,"client":${quoteClient(client)}`) +
    (fault === undefined ? '' : `,"fault":"${fault}"`) +
    formatText('task_id', taskId) +
    (details === undefined ? '' : formatDetails(details)) +
    (trace === undefined ? '' : `,"trace_id":"${trace.ids.trace_id}","span_id":"${trace.ids.span_id}"`) +
    end
  )
}

function formatDetails({ clientAddress, path, userAgent }: AccessDetails): string {
  return (
    formatText('client_address', clientAddress) +
    formatText('path', path) +
    formatText('user_agent', userAgent)
  )
}

function formatText(name: string, text: string | undefined): string {
  return text === undefined ? '' : `,"${name}":${quoteText(text)}`
}
