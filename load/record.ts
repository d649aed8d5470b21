/**
 * One request as one CSV line, written to a file with k6's `console.log`: 68 bytes and about 20 µs of CPU per request.
 * That is cheap enough to record every request, which an exact count requires. k6's own `--out csv` needs half the CPU
 * but writes ten lines and 700 bytes per request, without the class. Tags for the instance would split each of k6's
 * metrics into one series per instance.
 */

import type { RequestClass } from './classify.ts'

export type RequestRecord = {
  /** When the outcome was known, in Unix milliseconds. */
  endedMs: number
  /** From the attempt to get a connection to the last byte of the response. */
  durationMs: number
  class: RequestClass
  size: string
  status: number
  errorCode: number
  /** X-Served-By, or empty. */
  instance: string
  closedIdle: boolean
  requestId: string
  /** Empty when answered. */
  reason: string
}

export const recordHeader =
  'ended_ms,duration_ms,class,size,status,error_code,instance,closed_idle,request_id,reason'

/** Formats a record as a line, without a line break. */
export function recordLine(record: RequestRecord): string {
  return [
    record.endedMs,
    record.durationMs.toFixed(3),
    record.class,
    record.size,
    record.status,
    record.errorCode,
    field(record.instance),
    record.closedIdle ? 1 : 0,
    record.requestId,
    field(record.reason),
  ].join(',')
}

/** Replaces separators with a space, because they would shift the following columns. */
function field(value: string): string {
  return value.replace(/[\s,"]+/g, ' ')
}

/**
 * Parses a line. Null if it is not a record (the heading, or a line that a killed k6 left incomplete).
 */
export function parseRecord(line: string): RequestRecord | null {
  const [
    endedMs,
    durationMs,
    requestClass,
    size,
    status,
    errorCode,
    instance,
    closedIdle,
    requestId,
    reason,
  ] = line.split(',')
  if (reason === undefined) return null
  if (requestClass !== 'answered' && requestClass !== 'refused' && requestClass !== 'lost') return null
  return {
    endedMs: Number(endedMs),
    durationMs: Number(durationMs),
    class: requestClass,
    size: size ?? '',
    status: Number(status),
    errorCode: Number(errorCode),
    instance: instance ?? '',
    closedIdle: closedIdle === '1',
    requestId: requestId ?? '',
    reason,
  }
}
