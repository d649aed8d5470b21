import { describeError } from '../telemetry/log/describe-error.ts'
import type { Log, LogFields } from '../telemetry/log/log.ts'
import { RepetitionFilter } from '../telemetry/log/repetition-filter.ts'

/** Logs a failure that no request and no task reports. */
export type ReportFailure = (error: unknown, fields?: LogFields) => void

/**
 * Creates a function that logs failures under one message, each cause once a minute. Many operations fail together when
 * a server is away, so the line names the first of them.
 */
export function createFailureReport(log: Pick<Log, 'warn'>, message: string): ReportFailure {
  const filter = new RepetitionFilter()
  return (error, fields = {}) => {
    const cause = describeError(error)
    const passed = filter.pass(cause)
    if (passed === undefined) return
    const { repeated } = passed
    log.warn(message, { ...fields, cause, ...(repeated !== undefined && { repeated }), error })
  }
}
