/**
 * RATE for a long DURATION (30m), to find leaks and other problems that take time to appear.
 */

import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('soak'))

export const options = optionsOf('soak', settings)
export const setup = () => requireHealthyTarget(settings)
export default payloadJourney(settings, settings.size)
export { handleSummary } from './handle-summary.ts'
