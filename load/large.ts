/**
 * CONCURRENCY users (2) send payloads of SIZE (10mb) without a pause, beside small payloads at RATE (100/s). Checks that
 * big requests do not delay small ones.
 */

import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { defaultsOf, optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, defaultsOf('large'))

export const options = optionsOf('large', settings)
export const setup = () => requireHealthyTarget(settings)
export const small = payloadJourney(settings, 'small')
export const large = payloadJourney(settings, settings.size)
export { handleSummary } from './handle-summary.ts'
