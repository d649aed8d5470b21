import type { Config } from '../config.ts'
import { type BufferedWriter, createBufferedWriter } from '../telemetry/log/buffered-writer.ts'
import { createLog, type Log, type ProcessIdentity } from '../telemetry/log/log.ts'

/** The log of a process and its writer, which counts dropped lines. */
export interface ProcessLog {
  readonly log: Log
  readonly writer: BufferedWriter
}

/**
 * Opens the configured log on standard output.
 *
 * @param identity the process that writes
 */
export function openLog(config: Config, identity: ProcessIdentity): ProcessLog {
  const writer = createBufferedWriter(Bun.stdout.writer())
  const log = createLog({
    level: config.LOG_LEVEL,
    format: config.LOG_FORMAT,
    service: config.SERVICE_NAME,
    instance: config.INSTANCE_NAME,
    process: identity,
    writer,
  })
  return { log, writer }
}
