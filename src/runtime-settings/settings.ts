import type { LogLevel } from '../telemetry/log/log.ts'

/** What goes wrong on purpose with the requests of the application. */
export interface FaultSettings {
  readonly error_rate: number
  readonly error_status: number
  readonly delay_rate: number
  readonly delay_ms: number
  readonly delay_jitter_ms: number
}

/** Nothing does. Also what holds for a member that is left out of a setting. */
export const noFaults: FaultSettings = {
  error_rate: 0,
  error_status: 503,
  delay_rate: 1,
  delay_ms: 0,
  delay_jitter_ms: 0,
}

/** What may change while a service runs. Plain data, so that a supervisor can send it to its processes. */
export interface LiveSettings {
  /** Whether the instance wants traffic, as far as an operator decides: `/ready`. */
  readonly enabled: boolean
  readonly logLevel: LogLevel
  readonly faults: FaultSettings
}

/** True when some requests are to be answered with an error, or late. */
export function injectsFaults({ error_rate, delay_rate, delay_ms, delay_jitter_ms }: FaultSettings): boolean {
  return error_rate > 0 || (delay_rate > 0 && delay_ms + delay_jitter_ms > 0)
}
