import { describe, expect, test } from 'bun:test'
import { recordLine } from '../../../../load/record.ts'
import { checkSplit } from './gateway.ts'
import type { PodLife } from './pods.ts'
import type { ClusterRun } from './run.ts'
import type { WeightChange } from './split.ts'

const pods = {
  all: () => [],
  live: () => [],
  byName: (name: string) => ({ name, revision: name.split('-')[0] }) as PodLife,
  close() {},
}

/** An answer every 100 ms from each begin, by the canary in as many of ten as the share says. */
const answersOf = (stretches: readonly { fromMs: number; toMs: number; ofTen: number }[]): string =>
  stretches
    .flatMap(({ fromMs, toMs, ofTen }) =>
      Array.from({ length: (toMs - fromMs) / 100 }, (_, index) =>
        recordLine({
          ...{ endedMs: fromMs + index * 100, instance: index % 10 < ofTen ? 'new-1' : 'old-1' },
          ...{ class: 'answered', durationMs: 1, size: '1kb', status: 200, errorCode: 0 },
          ...{ closedIdle: false, requestId: 'r-1', reason: '' },
        }),
      ),
    )
    .join('\n')

function failedChecks(
  changes: readonly WeightChange[],
  records: string,
  { promoted = false, lost = 0 } = {},
): string[] {
  const phase = {
    phase: 'release',
    sent: 10,
    answered: 10,
    refused: 0,
    lost,
    slow: 0,
    closedIdle: 0,
    maxMs: 1,
  }
  const run = { name: 'it', phases: [phase] } as unknown as ClusterRun
  return checkSplit({ pods }, changes, { run, canary: 'new', promoted, records })
    .filter(({ passed }) => !passed)
    .map(({ name }) => name)
}

describe('a release through a Gateway', () => {
  const hidden = [{ atMs: 0, weight: 0 }]

  test('that no client reached must lose nothing', () => {
    const records = answersOf([{ fromMs: 0, toMs: 20_000, ofTen: 0 }])
    expect(failedChecks(hidden, records)).toEqual([])
    expect(failedChecks(hidden, records, { lost: 1 })).toEqual([
      'without a weight no client notices the release: it',
    ])
  })

  test('must not be reached while its weight is 0', () => {
    const records = answersOf([{ fromMs: 0, toMs: 20_000, ofTen: 1 }])
    expect(failedChecks(hidden, records)).toEqual(['no client reaches the canary while its weight is 0: it'])
  })

  test('gets what its weight says, and nothing after it was stopped', () => {
    const changes = [...hidden, { atMs: 20_000, weight: 10 }, { atMs: 60_000, weight: 0 }]
    const records = (ofTen: number) =>
      answersOf([
        { fromMs: 0, toMs: 20_000, ofTen: 0 },
        { fromMs: 20_000, toMs: 60_000, ofTen },
        { fromMs: 60_000, toMs: 70_000, ofTen: 0 },
      ])
    expect(failedChecks(changes, records(1), { lost: 1 })).toEqual([])
    expect(failedChecks(changes, records(5))).toEqual([
      "the canary's share of the answers is near its weight: it",
    ])
    expect(failedChecks(changes.slice(0, 2), records(1))).toContain('after it the weight is 0: it')
  })

  test('is promoted only after every weight, and then serves all', () => {
    const changes = [
      ...hidden,
      { atMs: 20_000, weight: 10 },
      { atMs: 60_000, weight: 60 },
      { atMs: 100_000, weight: 100 },
      { atMs: 110_000, weight: 0 },
    ]
    const records = answersOf([
      { fromMs: 0, toMs: 20_000, ofTen: 0 },
      { fromMs: 20_000, toMs: 60_000, ofTen: 1 },
      { fromMs: 60_000, toMs: 100_000, ofTen: 6 },
      { fromMs: 100_000, toMs: 120_000, ofTen: 10 },
    ])
    expect(failedChecks(changes, records, { promoted: true })).toEqual([])
    expect(failedChecks(changes.toSpliced(2, 1), records, { promoted: true })).toHaveLength(1)
  })
})
