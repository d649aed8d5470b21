/**
 * RATE, then ten times RATE at a stroke, then RATE again.
 */

import { payloadJourney, refuseDeadTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('spike'))

export const options = optionsOf('spike', settings)
export const setup = () => refuseDeadTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './summary.ts'
