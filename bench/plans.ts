import type { Plan } from './rounds.ts'
import type { Workload } from './workloads.ts'

/**
 * How long and how often each workload is measured. The shorter the windows, the nearer in time are those that are
 * compared, and a shared machine changes its pace by the second: by windows of 1.5 s the same two programs were at 1.28
 * of each other, and an hour later at 1.17. But what a server does after the load is a fixed part of each window.
 */
export interface Plans {
  /** Where a request takes microseconds. */
  readonly short: Plan
  /** Where it takes milliseconds. */
  readonly long: Plan
}

/** The plan for a workload: what is sent by many at a time takes microseconds. */
export function planFor({ short, long }: Plans, { connections }: Pick<Workload, 'connections'>): Plan {
  return connections >= 16 ? short : long
}

/** How often was measured, in words. */
export function roundsOf({ short, long }: Plans): string {
  return short.rounds === long.rounds
    ? `${long.rounds} interleaved rounds`
    : `${short.rounds} (small, medium) and ${long.rounds} (large, huge) interleaved rounds`
}
