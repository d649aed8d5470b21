import { z } from 'zod'
import type { Change } from './runtime-settings.ts'
import { faultsSchema, logLevelSchema } from './schemas.ts'
import { type LiveSettings, noFaults } from './settings.ts'

const fileSchema = z.strictObject({
  log_level: logLevelSchema.optional(),
  faults: faultsSchema.optional(),
})

/**
 * What a file of settings says: a JSON object with `log_level` and `faults`, each of which may be left out.
 *
 * @param usual the log level where the file names none
 * @throws Error saying what is wrong, all of it
 * @example parseSettingsFile('{"log_level": "debug"}', 'info') // { logLevel: 'debug', faults: noFaults }
 */
export function parseSettingsFile(text: string, usual: LiveSettings['logLevel']): Change {
  const parsed = fileSchema.safeParse(JSON.parse(text))
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  const { log_level = usual, faults = noFaults } = parsed.data
  return { logLevel: log_level, faults }
}
