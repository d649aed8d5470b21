import type { Measurement } from './rounds.ts'

/** A window is disturbed if its server was less busy than this share of the busiest one. */
const steadyShare = 0.85

/** The remaining rounds, with notes for the report. */
interface SteadyRounds {
  readonly pairs: readonly (readonly Measurement[])[]
  readonly notes: string[]
}

/**
 * Drops the rounds in which another program took the core from one of the servers. A delayed server handles more
 * requests per wake-up, which changes the cost of each. If fewer than half of the rounds remain, keeps them all and
 * notes that the machine was not quiet.
 *
 * @param pairs the measurements of each pair of processes, one for each target
 */
export function steadyRounds(pairs: readonly (readonly Measurement[])[]): SteadyRounds {
  const busiest = Math.max(...pairs.flat().flatMap(({ windows }) => windows.map((one) => one.serverBusy)))
  const isSteady = (pair: readonly Measurement[], round: number): boolean =>
    pair.every(({ windows }) => (windows[round]?.serverBusy ?? 0) >= steadyShare * busiest)
  const steady = pairs.map((pair) =>
    pair.map((one) => ({ ...one, windows: one.windows.filter((_, round) => isSteady(pair, round)) })),
  )
  const [all, kept] = [countRounds(pairs), countRounds(steady)]
  if (kept === all) return { pairs, notes: [] }
  if (kept < all / 2 || steady.some((pair) => pair[0]?.windows.length === 0))
    return { pairs, notes: [`machine not quiet: only ${kept} of ${all} rounds undisturbed, all counted`] }
  return { pairs: steady, notes: [`${all - kept} of ${all} rounds dropped: another program took the core`] }
}

function countRounds(pairs: readonly (readonly Measurement[])[]): number {
  return pairs.reduce((sum, pair) => sum + (pair[0]?.windows.length ?? 0), 0)
}
