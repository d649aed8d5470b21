import { createLive, type Live } from '../../src/live/live.ts'
import { type LiveSettings, noFaults } from '../../src/live/settings.ts'

/** Settings that can be changed, as a service has them at its start. */
export function liveSettings(changes: Partial<LiveSettings> = {}): Live {
  return createLive({ enabled: true, logLevel: 'info', faults: noFaults, ...changes })
}
