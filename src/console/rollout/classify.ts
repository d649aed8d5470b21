/**
 * The outcome of a request. answered: a correct response. refused: the service rejected it unprocessed, or a balancer
 * had no instance for it. lost: everything else. A browser does not report whether it had sent a request before the
 * connection failed, so each failed connection counts as lost.
 */
export type Outcome = 'answered' | 'refused' | 'lost'

/** What a browser observes of a response. */
export interface Observation {
  /** 0 without a response. */
  readonly status: number
  /** `X-Served-By`; undefined if no instance answered. */
  readonly instance: string | undefined
  /** Whether the body is the expected one. */
  readonly isCorrect: boolean
  readonly code?: string | undefined
}

/** Problem codes of requests that the service did not process. */
const refusals: ReadonlySet<string> = new Set(['rate-limited', 'overloaded', 'unauthorized', 'forbidden'])

/** Classifies a response; see {@link Outcome}. */
export function classify({ status, instance, isCorrect, code }: Observation): Outcome {
  if (status === 200 && isCorrect) return 'answered'
  if (code !== undefined && refusals.has(code)) return 'refused'
  return status === 503 && instance === undefined ? 'refused' : 'lost'
}

/** Marks slower answers, in ms. */
export const slowMs = 1_000
