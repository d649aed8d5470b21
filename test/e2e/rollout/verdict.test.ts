import { describe, expect, test } from 'bun:test'
import type { PhaseCounts } from './phases.ts'
import type { InstanceCounts, Run } from './run.ts'
import { faultsOf, killFaults } from './verdict.ts'

const instance = (changes: Partial<InstanceCounts> = {}): InstanceCounts => ({
  name: 'api-1-v1',
  client: 10,
  prometheus: 10,
  log: 10,
  exitCode: 0,
  stopSeconds: 3,
  ...changes,
})

function run(changes: Partial<PhaseCounts> = {}, instances = [instance()], inTime = true): Run {
  const phase = {
    ...{ phase: 'roll 1', sent: 10, answered: 10, refused: 0, lost: 0, slow: 0, closedIdle: 0, maxMs: 5 },
    ...changes,
  }
  const summary = {
    ...{
      sent: phase.sent,
      answered: phase.answered,
      refused: phase.refused,
      lost: phase.lost,
      slow: phase.slow,
    },
    ...{ closedIdle: 0, closedIdleExact: true, notStarted: 0, thresholds: [] },
  }
  return {
    name: 'reuse-small',
    connection: 'reuse',
    size: 'small',
    ratePerSecond: 10,
    capacityPerSecond: 20,
    phases: [phase],
    instances,
    report: {
      summary,
      times: null,
      reasons: [],
      agreement: { source: 'Prometheus', agree: true, text: '', notes: [] },
      seconds: 1,
      checks: [],
    },
    inTime,
  }
}

test('a run without losses and with equal counts has no violation', () => {
  expect(faultsOf(run())).toEqual([])
})

describe('a run fails when', () => {
  test('a request is lost, refused, or answered late', () => {
    expect(faultsOf(run({ sent: 11, lost: 1 }))).toEqual(['roll 1: 1 lost'])
    expect(faultsOf(run({ sent: 12, refused: 2 }))).toEqual(['roll 1: 2 refused'])
    expect(faultsOf(run({ slow: 3 }))).toEqual(['roll 1: 3 answered after more than 1 s'])
  })

  test('nothing was answered at all', () => {
    const empty = run({ sent: 0, answered: 0 }, [instance({ client: 0, prometheus: 0, log: 0 })])
    expect(faultsOf(empty)).toEqual(['nothing was answered'])
  })

  test('a stopped instance did not exit cleanly', () => {
    expect(faultsOf(run({}, [instance({ exitCode: 1 })]))).toEqual(['api-1-v1 ended with 1'])
  })

  test('the load ended before the rolling', () => {
    expect(faultsOf(run({}, [instance()], false))).toHaveLength(1)
  })

  test('one of the witnesses counted differently, even if the sums agree', () => {
    const faults = faultsOf(
      run({}, [
        instance({ client: 6, prometheus: 6, log: 5 }),
        instance({ name: 'api-2-v1', client: 4, prometheus: 4, log: 5 }),
      ]),
    )
    expect(faults).toEqual([
      'api-1-v1: 6 by the client, 6 by Prometheus, 5 by its log',
      'api-2-v1: 4 by the client, 4 by Prometheus, 5 by its log',
    ])
    expect(faultsOf(run({}, [instance({ prometheus: 9 })]))).toContain(
      'sum over the instances by Prometheus: 9, answered 10',
    )
  })
})

test('a kill without a loss shows that the test is blind', () => {
  expect(killFaults(run())).toHaveLength(1)
  expect(killFaults(run({ sent: 11, lost: 1 }))).toEqual([])
})
