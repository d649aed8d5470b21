/**
 * RATE for a long DURATION (30m): leaks, rotations, everything that needs time to show.
 */

import { payloadJourney, refuseDeadTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('soak'))

export const options = optionsOf('soak', settings)
export const setup = () => refuseDeadTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './summary.ts'
