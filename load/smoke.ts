/**
 * Twenty requests, one after the other: a quick check that the service works.
 */

import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('smoke'))

export const options = optionsOf('smoke', settings)
export const setup = () => requireHealthyTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './handle-summary.ts'
