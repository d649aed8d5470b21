/**
 * Twenty requests, one after the other: is everything there?
 */

import { payloadJourney, refuseDeadTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('smoke'))

export const options = optionsOf('smoke', settings)
export const setup = () => refuseDeadTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './summary.ts'
