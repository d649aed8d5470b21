import { parseRecord } from '../../../../load/record.ts'

/** A weight of the canary in percent, and since when it holds, in Unix ms. */
export interface WeightChange {
  readonly atMs: number
  readonly weight: number
}

/** The answers of the clients while a weight held. */
export interface Split {
  readonly weight: number
  readonly answers: number
  /** Those by pods of the canary. */
  readonly canary: number
}

/** For a gateway to apply a changed weight, and for the requests in flight. */
const settleMs = 5_000
/** With fewer answers a share says little. */
const answersMin = 100

/**
 * Counts by which pods the clients' requests were answered, for each stretch of time with one weight. The first seconds of a
 * stretch do not count, because a gateway needs some time.
 *
 * @param records of load/record.ts
 * @param changes in order of time
 */
export function splitsOf(
  records: string,
  changes: readonly WeightChange[],
  isCanary: (instance: string) => boolean,
): Split[] {
  const answered = records
    .split('\n')
    .map(parseRecord)
    .filter((record) => record !== null)
    .filter((record) => record.class === 'answered')
  const beginMs = answered[0]?.endedMs ?? 0
  // Earlier changes are those of another load, except the last one, which still holds.
  const from = changes.findLastIndex(({ atMs }) => atMs <= beginMs)
  const stretches = changes.slice(Math.max(0, from)).map((change) => ({ ...change, answers: 0, canary: 0 }))
  for (const { endedMs, instance } of answered) {
    const stretch = stretches.findLast(({ atMs }) => atMs <= endedMs)
    if (stretch === undefined || endedMs < stretch.atMs + settleMs) continue
    stretch.answers++
    if (isCanary(instance)) stretch.canary++
  }
  return stretches.map(({ weight, answers, canary }) => ({ weight, answers, canary }))
}

/**
 * Whether a gateway split as its weight says, generously: it may be half as far from 0 or from 100 percent, or as far again.
 *
 * @returns null if there are too few answers to say
 * @example isNearWeight({ weight: 10, answers: 1_000, canary: 120 }) // true
 */
export function isNearWeight({ weight, answers, canary }: Split): boolean | null {
  if (answers < answersMin) return null
  const share = (100 * canary) / answers
  return Math.abs(share - weight) <= Math.min(weight, 100 - weight) / 2
}
