import { describe, expect, test } from 'bun:test'
import type { RequestClass } from '../../../../load/classify.ts'
import { recordLine } from '../../../../load/record.ts'
import { isNearWeight, splitsOf } from './split.ts'

const line = (endedMs: number, instance: string, requestClass: RequestClass = 'answered'): string =>
  recordLine({
    ...{ endedMs, instance, class: requestClass, durationMs: 1, size: '1kb', status: 200, errorCode: 0 },
    ...{ closedIdle: false, requestId: 'r-1', reason: '' },
  })
const isCanary = (instance: string): boolean => instance.startsWith('new')

describe('the answers by weight', () => {
  test('count by the weight at the time, without its first seconds and without losses', () => {
    const records = [
      line(1_000, 'old-1'),
      line(9_000, 'old-1'),
      line(12_000, 'new-1'),
      line(16_000, 'new-1'),
      line(17_000, 'old-1'),
      line(18_000, 'new-1', 'lost'),
    ].join('\n')
    const changes = [
      { atMs: 0, weight: 0 },
      { atMs: 11_000, weight: 10 },
    ]
    expect(splitsOf(records, changes, isCanary)).toEqual([
      { weight: 0, answers: 1, canary: 0 },
      { weight: 10, answers: 2, canary: 1 },
    ])
  })

  test('start with the weight that held when the load began', () => {
    const changes = [
      { atMs: 0, weight: 100 },
      { atMs: 1_000, weight: 0 },
      { atMs: 50_000, weight: 10 },
    ]
    expect(splitsOf(line(20_000, 'old-1'), changes, isCanary)).toEqual([
      { weight: 0, answers: 1, canary: 0 },
      { weight: 10, answers: 0, canary: 0 },
    ])
  })
})

describe('a share is near its weight', () => {
  test('up to half of the distance to 0 or 100 percent', () => {
    const near = (weight: number, canary: number) => isNearWeight({ weight, answers: 1_000, canary })
    expect([49, 50, 150, 151].map((canary) => near(10, canary))).toEqual([false, true, true, false])
    expect([399, 400, 800, 801].map((canary) => near(60, canary))).toEqual([false, true, true, false])
  })

  test('unless there are too few answers', () => {
    expect(isNearWeight({ weight: 10, answers: 99, canary: 99 })).toBeNull()
  })
})
