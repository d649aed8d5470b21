/**
 * What became of a request. answered: the correct answer. refused: the service said that it did not take it, or a balancer that
 * it had no instance to give it to. lost: everything else. A browser does not say whether a request was sent before its
 * connection failed, so every failed connection counts as lost.
 */
export type Outcome = 'answered' | 'refused' | 'lost'

/** What a browser sees of an answer. */
export interface Observation {
  /** 0 without an answer. */
  readonly status: number
  /** `X-Served-By`; undefined when no instance answered. */
  readonly instance: string | undefined
  /** Whether the body is what was asked for. */
  readonly isCorrect: boolean
  readonly code?: string | undefined
}

/** Problems that say that nothing was done with a request. */
const refusals: ReadonlySet<string> = new Set(['rate-limited', 'overloaded', 'unauthorized', 'forbidden'])

/** Classifies an answer; see {@link Outcome}. */
export function classify({ status, instance, isCorrect, code }: Observation): Outcome {
  if (status === 200 && isCorrect) return 'answered'
  if (code !== undefined && refusals.has(code)) return 'refused'
  return status === 503 && instance === undefined ? 'refused' : 'lost'
}

/** Slower answers are marked, in ms. */
export const slowMs = 1_000
