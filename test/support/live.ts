import { createLive, type Live } from '../../src/runtime-settings/runtime-settings.ts'
import { type LiveSettings, noFaults } from '../../src/runtime-settings/settings.ts'

/** Settings that can be changed, as a service has them at its start. */
export function liveSettings(changes: Partial<LiveSettings> = {}): Live {
  return createLive({ enabled: true, logLevel: 'info', faults: noFaults, ...changes })
}
