import { describe, expect, test } from 'bun:test'
import type { PhaseCounts } from '../phases.ts'
import { renderHtml } from './report/html.ts'
import { renderMarkdown } from './report/markdown.ts'
import { renderText } from './report/text.ts'
import type { ClusterRun, PodCounts, PodStop } from './run.ts'
import { faultsOf, type PartResult, runFaults, totalsOf } from './verdict.ts'

const pod = (changes: Partial<PodCounts> = {}): PodCounts => ({
  name: 'api-1',
  client: 10,
  prometheus: 10,
  ...changes,
})
const stop = (changes: Partial<PodStop> = {}): PodStop => ({
  name: 'api-1',
  exitCode: 0,
  restarts: 0,
  ...changes,
})

function run(
  changes: Partial<PhaseCounts> = {},
  { pods = [pod()], stops = [stop()], inTime = true }: Partial<ClusterRun> = {},
): ClusterRun {
  const phase = {
    ...{ phase: 'restart', sent: 10, answered: 10, refused: 0, lost: 0, slow: 0, closedIdle: 0, maxMs: 5 },
    ...changes,
  }
  const { sent, answered, refused, lost, slow, closedIdle } = phase
  return {
    ...{ name: 'reuse', connection: 'reuse', ratePerSecond: 10, phases: [phase], pods, stops, inTime },
    checks: [],
    report: {
      summary: {
        ...{ sent, answered, refused, lost, slow, closedIdle },
        ...{ closedIdleExact: false, notStarted: 0, thresholds: [] },
      },
      ...{ times: null, reasons: [], seconds: 1, notAnswered: [] },
      agreement: { source: 'Prometheus', agree: true, text: '', notes: [] },
    },
  }
}

const part = (runs: ClusterRun[], changes: Partial<PartResult> = {}): PartResult => ({
  ...{ name: 'rollouts', runs, checks: [], mustLoseNothing: true },
  ...changes,
})

test('a load without losses, with equal counts and clean exits has no violation', () => {
  expect(runFaults(run())).toEqual([])
})

describe('a load on the cluster fails when', () => {
  test('a request is lost, refused or late, or a connection ends without warning', () => {
    expect(runFaults(run({ sent: 11, lost: 1 }))).toEqual(['reuse: restart: 1 lost'])
    expect(runFaults(run({ sent: 12, refused: 2 }))).toEqual(['reuse: restart: 2 refused'])
    expect(runFaults(run({ slow: 3 }))).toEqual(['reuse: restart: 3 answered after more than 1 s'])
    expect(runFaults(run({ closedIdle: 4 }))).toEqual([
      'reuse: restart: 4 connections closed while idle, without warning',
    ])
  })

  test('nothing was answered, or the load was over too early', () => {
    expect(runFaults(run({ sent: 0, answered: 0 }, { pods: [] }))).toEqual(['reuse: nothing was answered'])
    expect(runFaults(run({}, { inTime: false }))).toHaveLength(1)
  })

  test('a pod was killed, was restarted, or its exit was not observed', () => {
    expect(runFaults(run({}, { stops: [stop({ exitCode: 137 })] }))).toEqual(['reuse: api-1 ended with 137'])
    expect(runFaults(run({}, { stops: [stop({ exitCode: null })] }))).toHaveLength(1)
    expect(runFaults(run({}, { stops: [stop({ restarts: 1 })] }))).toHaveLength(1)
  })

  test('client and Prometheus counted differently, also when the sums agree', () => {
    expect(runFaults(run({}, { pods: [pod({ prometheus: 9 })] }))).toEqual([
      'reuse: sum over the pods by prometheus: 9, answered 10',
      'reuse: api-1: 10 by the client, 9 by Prometheus',
    ])
    const crossed = [pod({ client: 6, prometheus: 5 }), pod({ name: 'api-2', client: 4, prometheus: 5 })]
    expect(runFaults(run({}, { pods: crossed }))).toHaveLength(2)
  })
})

test('a control may lose, and fails only by its checks', () => {
  const control = part([run({ sent: 11, lost: 1 })], { name: 'controls', mustLoseNothing: false })
  expect(faultsOf(control)).toEqual([])
  const blind = { name: 'a loss is seen', passed: false, seen: '0 lost' }
  expect(faultsOf({ ...control, checks: [blind] })).toEqual(['a loss is seen: 0 lost'])
})

test('the totals exclude the losses of controls', () => {
  const control = part([run({ sent: 11, lost: 1 })], { mustLoseNothing: false })
  expect(totalsOf([part([run(), run({ maxMs: 9 })]), control])).toEqual({
    ...{ sent: 20, answered: 20, refused: 0, lost: 0, slow: 0, closedIdle: 0, maxMs: 9, stops: 2 },
  })
})

test('every report names the failures', () => {
  const where = { startedAt: '2026-11-21T10:00:00Z', minutes: 1, cluster: 'K', images: ['a', 'b'] } as const
  const results = [part([run({ sent: 11, lost: 1 })])]
  for (const render of [renderText, renderHtml, renderMarkdown]) {
    expect(render(where, results)).toContain('FAILED (rollouts): 1 pod stops, 11 requests: 1 lost')
  }
  for (const render of [renderText, renderHtml]) {
    expect(render(where, results)).toContain('reuse: restart: 1 lost')
  }
  expect(renderMarkdown(where, results)).toContain('| restart | 11 | 10 | 0 | 1 | 0 | 0 | 5 ms |')
  expect(renderText(where, [part([run()])])).toContain('Passed: 1 pod stops, 10 requests: 0 lost')
})
