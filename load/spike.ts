/**
 * RATE, then suddenly ten times RATE, then RATE again.
 */

import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('spike'))

export const options = optionsOf('spike', settings)
export const setup = () => requireHealthyTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './handle-summary.ts'
