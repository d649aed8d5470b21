import { z } from 'zod'
import type { SettingsChange } from './runtime-settings.ts'
import { createFaultsSchema, createLogLevelSchema } from './schemas.ts'
import { noFaults, type Settings } from './settings.ts'

const createFileSchema = () =>
  z.strictObject({
    log_level: createLogLevelSchema().optional(),
    faults: createFaultsSchema().optional(),
  })

/**
 * Parses a settings file: a JSON object with `log_level` and `faults`, both optional.
 *
 * @param defaultLogLevel the log level of a file without `log_level`
 * @throws an error that names everything that is invalid
 * @example parseSettingsFile('{"log_level": "debug"}', 'info') // { logLevel: 'debug', faults: noFaults }
 */
export function parseSettingsFile(text: string, defaultLogLevel: Settings['logLevel']): SettingsChange {
  const parsed = createFileSchema().safeParse(JSON.parse(text))
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  const { log_level = defaultLogLevel, faults = noFaults } = parsed.data
  return { logLevel: log_level, faults }
}
