import { z } from 'zod'
import type { LogLevel } from '../telemetry/log.ts'

const share = z.number().min(0, 'must be at least 0').max(1, 'must be at most 1')
const delayMs = z
  .int('must be a whole number')
  .min(0, 'must be at least 0')
  .max(600_000, 'must be at most 600000')

export const logLevelSchema = z.enum(['debug', 'info', 'warn', 'error'])

/** What goes wrong on purpose with the requests of the application; as it is, nothing. */
export const faultsSchema = z
  .strictObject({
    error_rate: share.default(0).describe('Share of the requests that are answered with an error, 0 to 1'),
    error_status: z
      .int('must be a whole number')
      .min(400, 'must be at least 400')
      .max(599, 'must be at most 599')
      .default(503)
      .describe('What they are answered with'),
    delay_rate: share.default(1).describe('Share of the requests that are delayed, 0 to 1'),
    delay_ms: delayMs.default(0).describe('By how much, in ms'),
    delay_jitter_ms: delayMs.default(0).describe('By how much more at the most, evenly spread, in ms'),
  })
  .meta({ id: 'Faults' })

export type FaultSettings = Readonly<z.output<typeof faultsSchema>>

export const noFaults: FaultSettings = faultsSchema.parse({})

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
