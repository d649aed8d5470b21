/**
 * Payloads of SIZE (10mb) by CONCURRENCY users (2) without a pause, beside small ones at RATE (100/s):
 * a big request must not delay anybody else's.
 */

import { payloadJourney, refuseDeadTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('large'))

export const options = optionsOf('large', settings)
export const setup = () => refuseDeadTarget(settings)
export const small = payloadJourney(settings, 'small')
export const large = payloadJourney(settings, settings.size)
export { handleSummary } from './summary.ts'
