import type { AccessRecord, LogLevel } from './log.ts'

/**
 * Makes the function that writes the line of one answered request as JSON.
 *
 * Every part but the client is ours or checked, so nothing needs escaping: a third of JSON.stringify's cost. What
 * stands before the request id is the same for all lines of a millisecond, and what stands behind it mostly the same
 * as in the line before: to join five pieces instead of twenty takes another half off.
 *
 * @param identity the members that name who writes, as JSON without braces
 * @param timestamp the time as text, at some value of `performance.now()`: the same string as long as the time is the same
 */
export function createAccessLine(
  identity: string,
  timestamp: (at: number) => string,
): (level: LogLevel, record: AccessRecord, status: number, durationMs: number) => string {
  let headTime = ''
  let headLevel: LogLevel = 'info'
  let head = ''
  const headOf = (level: LogLevel, at: number): string => {
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
  let middle = ''
  const middleOf = ({ method, route }: AccessRecord, status: number): string => {
    if (status !== lastStatus || route !== lastRoute || method !== lastMethod) {
      middle = `","method":"${method}","route":"${route}","status":${status},"duration_ms":`
      lastMethod = method
      lastRoute = route
      lastStatus = status
    }
    return middle
  }

  return (level, record, status, durationMs) =>
    `${headOf(level, record.startedAt + durationMs)}${record.requestId}${middleOf(record, status)}${decimalOf(durationMs)}${restOf(record)}`
}

/** A duration with three decimals, rounded; `toFixed(3)` takes three times as long. */
export function decimalOf(durationMs: number): string {
  const micros = Math.round(durationMs * 1_000)
  const rest = micros % 1_000
  return `${(micros - rest) / 1_000}${thousandths[rest]}`
}

/** `.000` to `.999`: to look three decimals up takes half of the time of writing them, and leaves nothing behind. */
const thousandths = Array.from({ length: 1_000 }, (_, i) => `.${String(i).padStart(3, '0')}`)

/** What few lines have, and their end. */
function restOf({ client, fault, trace }: AccessRecord): string {
  if (client === undefined && fault === undefined && trace === undefined) return '}\n'
  return (
    (client === undefined ? '' : `,"client":${JSON.stringify(client)}`) +
    (fault === undefined ? '' : `,"fault":"${fault}"`) +
    (trace === undefined ? '' : `,"trace_id":"${trace.ids.trace_id}","span_id":"${trace.ids.span_id}"`) +
    '}\n'
  )
}
