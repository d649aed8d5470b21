/**
 * RATE at a steady arrival for DURATION, while somebody else rolls, scales and kills the instances.
 * CONNECTION says how connections are used, SIZE how big the payloads are, EVENTS_FILE (read by run.ts)
 * when what was done. An arrival rate does not slow down with the service, so a stall shows.
 */

import { payloadJourney, refuseDeadTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('rollout'))

export const options = optionsOf('rollout', settings)
export const setup = () => refuseDeadTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './summary.ts'
