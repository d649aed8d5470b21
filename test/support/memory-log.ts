import type { OpenLog } from '../../src/server/logging.ts'
import { createLineSink } from '../../src/telemetry/log/buffered-writer.ts'
import { createLog } from '../../src/telemetry/log/log.ts'

/** A log that is kept in memory, to be looked into. */
export function memoryLog(): OpenLog & { messages(): Promise<{ level: string; msg: string }[]> } {
  const chunks: string[] = []
  const sink = createLineSink({ write: (chunk) => chunks.push(chunk), flush: () => {} })
  const log = createLog({ level: 'debug', format: 'json', service: 'tally', instance: 'test', sink })
  return {
    log,
    sink,
    async messages() {
      await log.flush()
      const lines = chunks
        .join('')
        .split('\n')
        .filter((line) => line !== '')
      return lines.map((line) => JSON.parse(line))
    },
  }
}
