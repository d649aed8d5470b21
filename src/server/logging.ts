import type { Config } from '../config.ts'
import { createLineSink, type LineSink } from '../telemetry/log/buffered-writer.ts'
import { createLog, type Log } from '../telemetry/log/log.ts'

/** What the process writes to: the log, and under it the sink that counts what found no reader. */
export interface OpenLog {
  readonly log: Log
  readonly sink: LineSink
}

/** Opens the log on standard output, as the configuration has it. */
export function openLog(config: Config): OpenLog {
  const sink = createLineSink(Bun.stdout.writer())
  const log = createLog({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    service: config.SERVICE_NAME,
    instance: config.INSTANCE_NAME,
    sink,
  })
  return { log, sink }
}
