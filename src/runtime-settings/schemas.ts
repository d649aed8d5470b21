import { z } from 'zod'
import { type FaultSettings, noFaults } from './settings.ts'

// Functions, because creating schemas takes time that a start without these settings should not pay.

export const createLogLevelSchema = () => z.enum(['debug', 'info', 'warn', 'error'])

/** Fault injection, as a request or a file sets it. An omitted member has the default of `noFaults`. */
export function createFaultsSchema() {
  const share = z.number().min(0, 'must be at least 0').max(1, 'must be at most 1')
  const delayMs = z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(600_000, 'must be at most 600000')
  return z
    .strictObject({
      error_rate: share
        .default(noFaults.error_rate)
        .describe('Share of the requests that get an error, 0 to 1'),
      error_status: z
        .int('must be a whole number')
        .min(400, 'must be at least 400')
        .max(599, 'must be at most 599')
        .default(noFaults.error_status)
        .describe('Status of those errors'),
      delay_rate: share
        .default(noFaults.delay_rate)
        .describe('Share of the requests that are delayed, 0 to 1'),
      delay_ms: delayMs.default(noFaults.delay_ms).describe('Delay, in ms'),
      delay_jitter_ms: delayMs
        .default(noFaults.delay_jitter_ms)
        .describe('Maximum of a random addition to the delay, in ms'),
    })
    .meta({ id: 'Faults' }) satisfies z.ZodType<FaultSettings>
}

/** The body of a request that changes the log level. */
export const createLogLevelBody = () =>
  z.strictObject({ level: createLogLevelSchema() }).meta({ id: 'LogLevel' })
