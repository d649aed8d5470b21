import type { PhaseCounts } from '../phases.ts'

/** The headings for `phaseRow`. */
export const phaseHeads = [
  'phase',
  'sent',
  'answered',
  'refused',
  'lost',
  'slow',
  'closed idle',
  'max',
] as const

/** The outcomes of the requests of one phase, as a row of a table. */
export function phaseRow({ maxMs, ...counts }: PhaseCounts): string[] {
  const { phase, sent, answered, refused, lost, slow, closedIdle } = counts
  const numbers = [sent, answered, refused, lost, slow, closedIdle]
  return [phase, ...numbers.map(String), `${maxMs.toFixed(0)} ms`]
}
