/**
 * The load profiles: the shape of the load and the thresholds that the service must meet. journeys.ts defines a single
 * request.
 */

import type { Options, Scenario, Threshold } from 'k6/options'
import type { Settings } from './settings.ts'

export const profileNames = ['load', 'smoke', 'stress', 'spike', 'soak', 'rollout', 'large'] as const
export type ProfileName = (typeof profileNames)[number]

type Profile = {
  /** Default settings of this profile, by environment variable. */
  defaults: Record<string, string>
  scenarios: (settings: Settings) => Record<string, Scenario>
  thresholds: Record<string, Threshold[]>
}

const nothingLost: Record<string, Threshold[]> = { requests_lost: ['count==0'] }

const profiles: Record<ProfileName, Profile> = {
  load: {
    defaults: {},
    thresholds: nothingLost,
    scenarios: (settings) => ({
      load: {
        executor: 'shared-iterations',
        vus: Math.min(settings.concurrency ?? 3, settings.requests),
        iterations: settings.requests,
        maxDuration: '24h',
        gracefulStop: gracefulStop(settings),
      },
    }),
  },
  smoke: {
    defaults: { N_REQUESTS: '20', CONCURRENCY: '1' },
    thresholds: { ...nothingLost, answers_slow: ['count==0'] },
    scenarios: (settings) => profiles.load.scenarios(settings),
  },
  stress: {
    // Doubles three times. The service may become slow on the way up, but it must not lose requests.
    defaults: { RATE: '200', DURATION: '2m' },
    thresholds: nothingLost,
    scenarios: (settings) => ({
      stress: arrivals(settings, 8, [
        [1, 0.2],
        [2, 0.2],
        [4, 0.2],
        [8, 0.2],
        [1, 0.2],
      ]),
    }),
  },
  spike: {
    defaults: { RATE: '100', DURATION: '1m' },
    thresholds: nothingLost,
    scenarios: (settings) => ({
      spike: arrivals(settings, 10, [
        [1, 0.3],
        [10, 0.02],
        [10, 0.3],
        [1, 0.02],
        [1, 0.36],
      ]),
    }),
  },
  soak: {
    defaults: { RATE: '200', DURATION: '30m' },
    thresholds: { ...nothingLost, answer_time: ['p(99)<1000'] },
    scenarios: (settings) => ({ soak: steady(settings) }),
  },
  rollout: {
    // A rolling update must be invisible to clients, so slow responses also fail the run.
    defaults: { RATE: '500', DURATION: '2m' },
    thresholds: { ...nothingLost, answers_slow: ['count==0'] },
    scenarios: (settings) => ({ rollout: steady(settings) }),
  },
  large: {
    // Only the latency of the small requests matters; a big one may take a second.
    defaults: { RATE: '100', DURATION: '1m', CONCURRENCY: '2', SIZE: '10mb' },
    thresholds: { ...nothingLost, 'answer_time{size:small}': ['p(99)<500'] },
    scenarios: (settings) => ({
      small: { ...steady({ ...settings, concurrency: null }), exec: 'small' },
      large: {
        executor: 'constant-vus',
        vus: settings.concurrency ?? 2,
        duration: `${settings.durationSeconds}s`,
        gracefulStop: gracefulStop(settings),
        exec: 'large',
      },
    }),
  },
}

/** A profile's default settings: the second argument of `parseSettings`. */
export function defaultsOf(name: ProfileName): Record<string, string> {
  return profiles[name].defaults
}

/**
 * k6's options for a profile.
 *
 * @example optionsOf('load', parseSettings({}, defaultsOf('load'))).scenarios?.load
 *   // { executor: 'shared-iterations', vus: 3, iterations: 5000, … }
 */
export function optionsOf(name: ProfileName, settings: Settings): Options {
  const profile = profiles[name]
  return {
    scenarios: profile.scenarios(settings),
    // Refused requests are not lost, but a stopped service refuses everything: REFUSED_MAX limits them in every profile.
    thresholds: { ...profile.thresholds, requests_refused: [`count<=${settings.refusedMax}`] },
    noConnectionReuse: settings.connection === 'no-reuse',
    // Each tag multiplies k6's time series; the report does not need them. The summary of a plain `k6 run` finds its
    // checks, one per instance, by the last two.
    systemTags: ['scenario', 'group', 'check'],
    summaryTrendStats: ['min', 'avg', 'med', 'max', 'p(95)', 'p(99)'],
    discardResponseBodies: false,
  }
}

/**
 * The number of users at the start of a run, for the heading of the report's table.
 *
 * @example usersOf(optionsOf('smoke', parseSettings({}, defaultsOf('smoke'))).scenarios) // 1
 */
export function usersOf(scenarios: Options['scenarios']): number {
  return Object.values(scenarios ?? {}).reduce((sum, scenario) => {
    if ('preAllocatedVUs' in scenario) return sum + scenario.preAllocatedVUs
    return sum + ('vus' in scenario ? (scenario.vus ?? 1) : 1)
  }, 0)
}

function steady(settings: Settings): Scenario {
  return {
    executor: 'constant-arrival-rate',
    rate: settings.ratePerSecond,
    timeUnit: '1s',
    duration: `${settings.durationSeconds}s`,
    gracefulStop: gracefulStop(settings),
    ...users(settings, settings.ratePerSecond),
  }
}

/** Steps as [factor on RATE, share of DURATION]. */
function arrivals(settings: Settings, peak: number, steps: [number, number][]): Scenario {
  return {
    executor: 'ramping-arrival-rate',
    startRate: settings.ratePerSecond,
    timeUnit: '1s',
    stages: steps.map(([factor, share]) => ({
      target: settings.ratePerSecond * factor,
      duration: `${Math.ceil(settings.durationSeconds * share)}s`,
    })),
    gracefulStop: gracefulStop(settings),
    ...users(settings, settings.ratePerSecond * peak),
  }
}

/**
 * Enough users for responses of 50 ms, growing to enough for a second. Each user has its own connection, idle between
 * its requests, which exposes a server that closes idle connections.
 */
function users(settings: Settings, peakPerSecond: number) {
  const preAllocatedVUs = settings.concurrency ?? Math.max(10, Math.ceil(peakPerSecond / 20))
  return { preAllocatedVUs, maxVUs: Math.max(preAllocatedVUs, Math.min(peakPerSecond, 2_000)) }
}

/** Lets every request finish after the end of the run: an aborted one would be sent but never counted. */
function gracefulStop(settings: Settings): string {
  return `${Math.ceil(settings.readTimeoutMs / 1_000 + settings.thinkTimeSeconds) + 5}s`
}
