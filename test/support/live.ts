import { createRuntimeSettings, type RuntimeSettings } from '../../src/runtime-settings/runtime-settings.ts'
import { noFaults, type Settings } from '../../src/runtime-settings/settings.ts'

/** Runtime settings, as a service has them at its start. */
export function liveSettings(changes: Partial<Settings> = {}): RuntimeSettings {
  return createRuntimeSettings({ enabled: true, logLevel: 'info', faults: noFaults, ...changes })
}
