/**
 * A constant arrival rate (RATE) for DURATION, while another program restarts, scales and kills the instances.
 * CONNECTION sets the use of connections, SIZE the payload size. EVENTS_FILE (read by run.ts) lists the actions and
 * their times. An arrival rate does not slow down with the service, so a stall is visible.
 */

import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('rollout'))

export const options = optionsOf('rollout', settings)
export const setup = () => requireHealthyTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './handle-summary.ts'
