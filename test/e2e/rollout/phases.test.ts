import { expect, test } from 'bun:test'
import { type RequestRecord, recordHeader, recordLine } from '../../../load/record.ts'
import { countByPhase } from './phases.ts'

const record = (endedMs: number, changes: Partial<RequestRecord> = {}): RequestRecord => ({
  endedMs,
  durationMs: 5,
  class: 'answered',
  size: 'small',
  status: 200,
  errorCode: 0,
  instance: 'api-1-v1',
  closedIdle: false,
  requestId: 'r',
  reason: '',
  ...changes,
})
const csv = (...records: RequestRecord[]): string => [recordHeader, ...records.map(recordLine), ''].join('\n')

test('a request belongs to the phase in which it ended, and steps of a phase are combined', () => {
  const counts = countByPhase(
    csv(record(90), record(100), record(150), record(210), record(390)),
    '100 roll 1: api-1 stops\n200 roll 1: api-2 stops\n300 3 to 5: start\n',
  )
  expect(counts.map(({ phase, sent }) => [phase, sent])).toEqual([
    ['steady', 1],
    ['roll 1', 3],
    ['3 to 5', 1],
  ])
})

test('lost, refused, slow and closed idle are counted in their phase', () => {
  const counts = countByPhase(
    csv(
      record(10, { durationMs: 1_000 }),
      record(20, { durationMs: 1_001 }),
      record(110, { class: 'lost', status: 0, reason: 'connection reset', durationMs: 5_000 }),
      record(120, { class: 'refused', status: 0, reason: 'connection refused' }),
      record(130, { closedIdle: true }),
    ),
    '100 SIGKILL: api-2\n',
  )
  expect(counts).toEqual([
    { phase: 'steady', sent: 2, answered: 2, refused: 0, lost: 0, slow: 1, closedIdle: 0, maxMs: 1_001 },
    { phase: 'SIGKILL', sent: 3, answered: 1, refused: 1, lost: 1, slow: 0, closedIdle: 1, maxMs: 5 },
  ])
})

test('a connection whose last response announced its end was not closed without warning', () => {
  const closedAfter = (user: number, lastMs: number) => [
    record(lastMs, { requestId: `run-small-${user}-1` }),
    record(lastMs + 50, { requestId: `run-small-${user}-2`, closedIdle: true }),
  ]
  const drainingMs = 100
  const counts = countByPhase(
    csv(...closedAfter(1, drainingMs), ...closedAfter(2, drainingMs - 1)),
    '',
    (last) => last.endedMs >= drainingMs,
  )
  expect(counts.map(({ closedIdle }) => closedIdle)).toEqual([1])
})
