import type { Plan } from './rounds.ts'
import type { Workload } from './workloads.ts'

/**
 * Duration and number of the windows of each workload. Short windows keep compared windows close in time, which matters
 * because a shared machine changes its speed by the second: with windows of 1.5 s, two programs had a ratio of 1.28, and
 * an hour later 1.17. But the work that a server does after the load is a fixed part of each window.
 */
export interface Plans {
  /** For requests that take microseconds. */
  readonly short: Plan
  /** For requests that take milliseconds. */
  readonly long: Plan
}

/** The plan for a workload: many connections mean requests that take microseconds. */
export function planFor({ short, long }: Plans, { connections }: Pick<Workload, 'connections'>): Plan {
  return connections >= 16 ? short : long
}

/** Describes the number of rounds for reports. */
export function roundsOf({ short, long }: Plans): string {
  return short.rounds === long.rounds
    ? `${long.rounds} interleaved rounds`
    : `${short.rounds} (small, medium) and ${long.rounds} (large, huge) interleaved rounds`
}
