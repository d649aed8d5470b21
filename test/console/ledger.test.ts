import { describe, expect, test } from 'bun:test'
import { nextCursor } from '../../src/console/api/next-cursor.ts'
import { classify } from '../../src/console/rollout/classify.ts'
import { addReading, type Instances, stateOf } from '../../src/console/rollout/instances.ts'
import { historySeconds, LedgerBook, maxRecent } from '../../src/console/rollout/ledger.ts'
import { bucketQuantile } from '../../src/console/rollout/quantile.ts'

describe('a request is', () => {
  const instance = 'api-1'
  for (const [outcome, what, observation] of [
    ['answered', 'the right answer', { status: 200, instance, isCorrect: true }],
    ['lost', 'a wrong answer', { status: 200, instance, isCorrect: false }],
    ['lost', 'no answer', { status: 0, instance: undefined, isCorrect: false }],
    ['lost', 'an internal error', { status: 500, instance, isCorrect: false, code: 'internal-error' }],
    ['lost', 'cut behind the balancer', { status: 502, instance: undefined, isCorrect: false }],
    ['lost', '503 of an instance', { status: 503, instance, isCorrect: false, code: 'store-unavailable' }],
    ['refused', 'load shedding', { status: 503, instance, isCorrect: false, code: 'overloaded' }],
    ['refused', 'a rate limit', { status: 429, instance, isCorrect: false, code: 'rate-limited' }],
    ['refused', 'a balancer without instances', { status: 503, instance: undefined, isCorrect: false }],
  ] as const)
    test(`${outcome} with ${what}`, () => {
      expect(classify(observation)).toBe(outcome)
    })
})

describe('the account', () => {
  test('always adds up', () => {
    const book = new LedgerBook()
    const outcomes = ['answered', 'answered', 'refused', 'lost'] as const
    for (let i = 0; i < 2_000; i++) {
      book.begin()
      if (i % 10 === 9) continue
      book.end({ outcome: outcomes[i % 4] ?? 'lost', instance: `api-${i % 3}`, durationMs: 1 }, i * 500)
      const { sent, answered, refused, lost, inFlight, byInstance } = book.read()
      expect(answered + refused + lost + inFlight).toBe(sent)
      expect(Object.values(byInstance).reduce((total, n) => total + n, 0)).toBe(answered)
    }
    const { recent, seconds, failures } = book.read()
    expect(recent).toHaveLength(maxRecent)
    expect(seconds).toHaveLength(historySeconds)
    expect(failures.every(({ outcome }) => outcome !== 'answered')).toBe(true)
  })

  test('marks answers that took longer than a second', () => {
    const book = new LedgerBook()
    for (const durationMs of [1_000, 1_001]) {
      book.begin()
      book.end({ outcome: 'answered', instance: 'api-1', durationMs }, 0)
    }
    expect(book.read().recent.map(({ isSlow }) => isSlow)).toEqual([false, true])
    expect(book.read().slow).toBe(1)
  })

  test('does not change after it was read', () => {
    const book = new LedgerBook()
    book.begin()
    const before = book.read()
    book.end({ outcome: 'answered', instance: 'api-1', durationMs: 1 }, 0)
    expect(before).toMatchObject({ sent: 1, inFlight: 1, answered: 0, recent: [], seconds: [] })
  })
})

describe('instances', () => {
  const describeInstance = (total: number, change: object = {}) => ({
    name: 'api-1',
    version: 'v1',
    started_at: '2026-01-01T00:00:00.000Z',
    state: 'ready',
    uptime_seconds: 1,
    in_flight: 0,
    requests: { total, failed: 0, bounds: [0.01, 0.1], counts: [total, 0, 0] },
    queue: null,
    ...change,
  })

  test('have the rate and the quantiles between their readings', () => {
    let instances: Instances = new Map()
    instances = addReading(instances, describeInstance(100), 0)
    instances = addReading(instances, describeInstance(120), 2_000)
    const [history] = [...instances.values()]
    expect(history?.points).toEqual([
      { at: 2_000, requestsPerSecond: 10, p50: 0.005, p95: 0.0095, p99: 0.0099 },
    ])
  })

  test('with the same name are distinguished by their start time', () => {
    let instances = addReading(new Map(), describeInstance(1), 0)
    instances = addReading(instances, describeInstance(1, { started_at: '2026-01-02T00:00:00.000Z' }), 10)
    expect(instances.size).toBe(2)
  })

  test('that stop answering are gone, and removed later', () => {
    const instances = addReading(new Map(), describeInstance(1, { state: 'draining' }), 0)
    const [history] = [...instances.values()]
    if (history === undefined) throw new Error('no instance')
    expect(stateOf(history, 1_000)).toBe('draining')
    expect(stateOf(history, 6_000)).toBe('gone')
    expect(addReading(instances, describeInstance(1, { name: 'api-2' }), 120_000).size).toBe(1)
  })
})

test('a quantile is interpolated within its bucket and capped at the last bound', () => {
  expect(bucketQuantile([1, 2], [10, 10, 0], 0.75)).toBe(1.5)
  expect(bucketQuantile([1, 2], [0, 0, 5], 0.5)).toBe(2)
  expect(bucketQuantile([1, 2], [0, 0, 0], 0.5)).toBeUndefined()
})

test('the cursor of the next page comes from the Link header', () => {
  expect(nextCursor('</v1/tasks?limit=20&cursor=abc>; rel="next"')).toBe('abc')
  expect(nextCursor(null)).toBeUndefined()
})
