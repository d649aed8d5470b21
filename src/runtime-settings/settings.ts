import type { LogLevel } from '../telemetry/log/log.ts'

/** Fault injection: which application requests fail or wait on purpose. */
export interface FaultSettings {
  /** Share of the requests that get an error, 0 to 1. */
  readonly error_rate: number
  /** HTTP status of those errors, 400 to 599. */
  readonly error_status: number
  /** Share of the requests that are delayed, 0 to 1. */
  readonly delay_rate: number
  readonly delay_ms: number
  /** Maximum of a random addition to `delay_ms`. */
  readonly delay_jitter_ms: number
}

/** Injects nothing. Also the defaults of the members that a request or a file omits. */
export const noFaults: FaultSettings = {
  error_rate: 0,
  error_status: 503,
  delay_rate: 1,
  delay_ms: 0,
  delay_jitter_ms: 0,
}

/** Settings that can change while a service runs. Plain data, so that a supervisor can send it to its worker processes. */
export interface Settings {
  /** False when an operator took the instance out of rotation: readiness is 503. */
  readonly enabled: boolean
  readonly logLevel: LogLevel
  readonly faults: FaultSettings
}

/** True when some requests fail or are delayed. */
export function injectsFaults({ error_rate, delay_rate, delay_ms, delay_jitter_ms }: FaultSettings): boolean {
  return error_rate > 0 || (delay_rate > 0 && delay_ms + delay_jitter_ms > 0)
}
