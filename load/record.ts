/**
 * One request as one line of CSV, written with k6's `console.log` to a file: 68 bytes and about 20 µs of
 * CPU a request, so every request can be kept, and a count that adds up needs every one. k6's own
 * `--out csv` costs half the CPU, but ten lines and 700 bytes a request, none of which knows the class,
 * and tags for the instance would make every one of its metrics a series for each instance.
 */

import type { RequestClass } from './classify.ts'

export type RequestRecord = {
  /** Unix time in milliseconds at which the outcome was known. */
  endedMs: number
  /** From wanting a connection to the last byte of the answer. */
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

/** The line of a record, without a line end. */
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

/** A separator inside a value would shift the columns behind it, so it becomes a space. */
function field(value: string): string {
  return value.replace(/[\s,"]+/g, ' ')
}

/**
 * The record of a line, or null when the line is none (the heading, a line cut by a killed k6).
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
