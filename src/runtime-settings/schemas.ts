import { z } from 'zod'
import { type FaultSettings, noFaults } from './settings.ts'

const share = z.number().min(0, 'must be at least 0').max(1, 'must be at most 1')
const delayMs = z
  .int('must be a whole number')
  .min(0, 'must be at least 0')
  .max(600_000, 'must be at most 600000')

export const logLevelSchema = z.enum(['debug', 'info', 'warn', 'error'])

/** What goes wrong on purpose with the requests of the application. What is left out does nothing. */
export const faultsSchema = z
  .strictObject({
    error_rate: share
      .default(noFaults.error_rate)
      .describe('Share of the requests that are answered with an error, 0 to 1'),
    error_status: z
      .int('must be a whole number')
      .min(400, 'must be at least 400')
      .max(599, 'must be at most 599')
      .default(noFaults.error_status)
      .describe('What they are answered with'),
    delay_rate: share.default(noFaults.delay_rate).describe('Share of the requests that are delayed, 0 to 1'),
    delay_ms: delayMs.default(noFaults.delay_ms).describe('By how much, in ms'),
    delay_jitter_ms: delayMs
      .default(noFaults.delay_jitter_ms)
      .describe('By how much more at the most, evenly spread, in ms'),
  })
  .meta({ id: 'Faults' }) satisfies z.ZodType<FaultSettings>

/** The body of a request that changes the log level. */
export const logLevelBody = z.strictObject({ level: logLevelSchema }).meta({ id: 'LogLevel' })
