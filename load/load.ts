/**
 * The default run: CONCURRENCY users (3) send N_REQUESTS requests (5000) as fast as the service responds.
 */

import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('load'))

export const options = optionsOf('load', settings)
export const setup = () => requireHealthyTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './handle-summary.ts'
