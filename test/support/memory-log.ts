import type { ProcessLog } from '../../src/server/logging.ts'
import { createBufferedWriter } from '../../src/telemetry/log/buffered-writer.ts'
import { createLog } from '../../src/telemetry/log/log.ts'

/** A log in memory, for inspection. */
export function memoryLog(): ProcessLog & { messages(): Promise<{ level: string; msg: string }[]> } {
  const chunks: string[] = []
  const writer = createBufferedWriter({ write: (chunk) => chunks.push(chunk), flush: () => {} })
  const log = createLog({
    level: 'debug',
    format: 'json',
    service: 'tally',
    instance: 'test',
    process: { role: 'server', pid: 1 },
    writer,
  })
  return {
    log,
    writer,
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
