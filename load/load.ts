/**
 * N_REQUESTS requests (5000) by CONCURRENCY users (3), as fast as answers come: the default run.
 */

import { payloadJourney, refuseDeadTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('load'))

export const options = optionsOf('load', settings)
export const setup = () => refuseDeadTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './summary.ts'
