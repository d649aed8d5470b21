import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Behavior, groupOptions, SimulatedProcesses } from './simulated-processes.ts'

const minuteMs = 60_000

/** A group whose two processes have started. */
function startGroup(behaviors: readonly Partial<Behavior>[] = []): SimulatedProcesses {
  const group = new SimulatedProcesses(behaviors)
  group.advance(1_000)
  expect(group.started).toBe(true)
  return group
}

const names = (group: SimulatedProcesses): string[] => group.reports.map(({ name }) => name)

describe('the start of a group', () => {
  test('starts one process after the other', () => {
    const group = startGroup()
    expect(group.running).toEqual([1, 2])
    expect(group.mostStarting).toBe(1)
  })

  test('fails, and ends the others, when a process exits by itself', () => {
    const group = new SimulatedProcesses([{}, { failsWith: 78 }])
    group.advance(1_000)
    expect(group.startFailed).toBe(true)
    expect(group.alive.size).toBe(0)
    expect(group.group.wakeAt).toBeUndefined()
  })

  test('fails when a process does not listen in time, and kills that one', () => {
    const group = new SimulatedProcesses([{}, { hung: true }])
    group.advance(31_000)
    expect(group.kills).toMatchObject([{ id: 2, cause: 'did not listen in time' }])
    expect(group.startFailed).toBe(true)
    expect(group.alive.size).toBe(0)
  })

  test('continues when a process is killed from outside, also one that already listens', () => {
    const group = new SimulatedProcesses()
    group.kill(1)
    group.advance(150)
    expect(group.running).toEqual([2])
    group.kill(2)
    group.advance(minuteMs)
    expect(group.started).toBe(true)
    expect(group.running).toHaveLength(2)
    expect(names(group)).toEqual(['start-failed', 'died'])
  })

  test('fails when three of its processes are killed before they listen', () => {
    const group = new SimulatedProcesses()
    for (const id of [1, 2, 3]) {
      expect(group.startFailed).toBe(false)
      while (!group.alive.has(id)) group.advance(10)
      group.kill(id)
    }
    expect(group.startFailed).toBe(true)
    expect(group.alive.size).toBe(0)
  })
})

describe('a process that dies', () => {
  test('is replaced at once and reported', () => {
    const group = startGroup()
    group.kill(1)
    group.advance(150)
    expect(group.running).toEqual([2, 3])
    expect(group.reports).toMatchObject([
      { name: 'died', number: 1, exit: { signal: 'SIGKILL' }, delayMs: 0 },
    ])
  })

  test('is replaced after a delay that grows up to 10 s, when the new ones die as well', () => {
    const group = new SimulatedProcesses([{}, {}, ...Array.from({ length: 20 }, () => ({ failsWith: 1 }))])
    group.advance(1_000)
    group.kill(1)
    group.advance(20 * minuteMs)
    const delays = group.reports.flatMap((report) => ('delayMs' in report ? [report.delayMs] : []))
    expect(delays.slice(0, 10)).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
    expect(group.running).toHaveLength(2)
  })

  test('is replaced as soon as it begins to drain by itself, and killed when that takes too long', () => {
    const group = startGroup([{ drainMs: 10 * minuteMs }])
    group.leave(1)
    group.advance(150)
    expect(group.running).toEqual([2, 3])
    expect(group.reports).toMatchObject([{ name: 'leaving', number: 1 }])
    group.advance(2 * minuteMs)
    expect(group.kills).toMatchObject([{ id: 1, cause: 'did not exit in time' }])
    expect(group.running).toEqual([2, 3])
  })

  test('after it has drained by itself is not replaced again', () => {
    const group = startGroup([{ drainMs: 5_000 }])
    group.leave(1)
    group.advance(minuteMs)
    expect(names(group)).toEqual(['leaving', 'failed-exit'])
    expect(group.running).toEqual([2, 3])
  })

  test('is replaced when all die at the same time', () => {
    const group = startGroup()
    group.kill(1)
    group.kill(2)
    group.advance(minuteMs)
    expect(group.running).toHaveLength(2)
  })
})

describe('a process that hangs', () => {
  test('is killed after the timeout of the heartbeat, and replaced', () => {
    const group = startGroup()
    group.behavior(1).hung = true
    const since = group.now
    group.advance(minuteMs)
    expect(group.kills).toMatchObject([{ id: 1, cause: 'did not answer' }])
    const afterMs = (group.kills[0]?.at ?? 0) - since
    expect(afterMs).toBeGreaterThan(groupOptions.heartbeatTimeoutMs - 1_000)
    expect(afterMs).toBeLessThanOrEqual(groupOptions.heartbeatTimeoutMs + 2_000)
    expect(group.running).toEqual([2, 3])
  })

  test('is left alone when it answers again in time', () => {
    const group = startGroup()
    group.behavior(1).hung = true
    group.advance(10_000)
    expect(group.group.processes.map(({ answers }) => answers)).toEqual([false, true])
    // A late answer to the first heartbeat.
    group.behavior(1).hung = false
    group.dispatch({ type: 'answered', id: 1 })
    group.advance(minuteMs)
    expect(group.kills).toEqual([])
  })

  test('is not killed while it has announced that it is busy, and no longer', () => {
    const group = startGroup()
    group.dispatch({ type: 'busy', id: 1, forMs: 40_000 })
    group.behavior(1).hung = true
    group.advance(40_000)
    expect(group.kills).toEqual([])
    group.advance(20_000)
    expect(group.kills).toMatchObject([{ id: 1, cause: 'did not answer' }])
  })

  test('is not detected by a supervisor that was suspended itself', () => {
    const group = startGroup()
    for (let i = 0; i < 5; i++) {
      group.suspendSupervisor(10 * minuteMs)
      group.advance(5_000)
    }
    expect(group.kills).toEqual([])
    // Nor does it end a process that starts or drains.
    group.dispatch({ type: 'roll' })
    group.suspendSupervisor(10 * minuteMs)
    group.advance(minuteMs)
    expect(group.kills).toEqual([])
    expect(group.outcomes).toMatchObject([{ name: 'finished', died: 0, killed: 0 }])
  })

  test('does not hold up the others when not even SIGKILL ends it', () => {
    const group = startGroup()
    Object.assign(group.behavior(1), { hung: true, unkillable: true })
    group.dispatch({ type: 'roll' })
    group.advance(5 * minuteMs)
    expect(names(group)).toContain('unkillable')
    expect(group.outcomes).toMatchObject([{ name: 'finished', processes: 2 }])
    expect(group.running).toHaveLength(2)
  })
})

describe('a rolling restart', () => {
  test('replaces every process, and never runs fewer than before', () => {
    const group = startGroup()
    group.dispatch({ type: 'roll' })
    group.advance(minuteMs)
    expect(group.outcomes).toMatchObject([
      { name: 'finished', processes: 2, died: 0, killed: 0, failedExits: 0 },
    ])
    expect(group.running).toEqual([3, 4])
    expect(group.fewest).toBe(2)
    expect([group.mostStarting, group.mostRetiring, group.excluded]).toEqual([1, 1, 0])
  })

  test('replaces and reports a new process that is killed while the old one drains', () => {
    const group = startGroup([{ drainMs: 3_000 }, { drainMs: 3_000 }])
    group.dispatch({ type: 'roll' })
    group.advance(1_500)
    expect(group.running).toEqual([2, 3])
    group.kill(3)
    group.advance(minuteMs)
    expect(group.running).toHaveLength(2)
    expect(names(group)).toEqual(['died'])
    expect(group.outcomes).toMatchObject([{ name: 'finished', died: 1, processes: 2 }])
  })

  test('continues past a suspended old process, and replaces dead ones meanwhile', () => {
    const group = startGroup()
    group.behavior(1).hung = true
    group.dispatch({ type: 'roll' })
    group.advance(5_000)
    for (const id of group.running) group.kill(id)
    group.advance(5_000)
    expect(group.running).toHaveLength(2)
    group.advance(2 * minuteMs)
    expect(group.kills).toMatchObject([{ id: 1, cause: 'did not answer' }])
    expect(group.outcomes).toMatchObject([{ name: 'finished', killed: 1, processes: 2 }])
    expect(group.excluded).toBe(0)
  })

  test('kills an old process that drains beyond its time', () => {
    const group = startGroup([{ drainMs: 10 * minuteMs }])
    group.dispatch({ type: 'roll' })
    group.advance(2 * minuteMs)
    expect(group.kills).toMatchObject([{ id: 1, cause: 'did not exit in time' }])
    expect(group.outcomes).toMatchObject([{ name: 'finished', killed: 1, processes: 2 }])
  })

  test('counts an old process that exits with a failure', () => {
    const group = startGroup([{ exitCode: 1 }])
    group.dispatch({ type: 'roll' })
    group.advance(minuteMs)
    expect(group.outcomes).toMatchObject([{ name: 'finished', failedExits: 1 }])
    expect(names(group)).toEqual(['failed-exit'])
  })

  test('is aborted, and the old processes stay, when the new one fails to start', () => {
    const group = startGroup([{}, {}, { failsWith: 1 }])
    group.dispatch({ type: 'roll' })
    group.advance(minuteMs)
    expect(group.outcomes).toMatchObject([{ name: 'aborted', reason: 'new process failed to start' }])
    expect(group.running).toEqual([1, 2])
    expect(group.fewest).toBe(2)
  })

  test('is aborted when the new one hangs before it listens', () => {
    const group = startGroup([{}, {}, { hung: true }])
    group.dispatch({ type: 'roll' })
    group.advance(minuteMs)
    expect(group.kills).toMatchObject([{ cause: 'did not listen in time' }])
    expect(group.outcomes).toMatchObject([{ name: 'aborted' }])
    expect(group.running).toEqual([1, 2])
  })

  test('tries again when the new one is killed before it listens', () => {
    const group = startGroup()
    group.dispatch({ type: 'roll' })
    group.kill(3)
    group.advance(minuteMs)
    expect(group.outcomes).toMatchObject([{ name: 'finished', processes: 2 }])
    expect(group.running).toEqual([4, 5])
  })

  test('is aborted before it has replaced all, when its processes start and then die', () => {
    const group = startGroup([{ drainMs: 20_000 }, { drainMs: 20_000 }])
    group.dispatch({ type: 'roll' })
    for (let i = 0; i < 3; i++) {
      group.advance(2_000)
      group.kill(Math.max(...group.running))
    }
    expect(group.outcomes).toMatchObject([{ name: 'aborted', reason: 'new processes die', died: 3 }])
    group.advance(minuteMs)
    expect(group.running).toContain(2)
    expect(group.running).toHaveLength(2)
  })

  test('follows once more after a storm of requests', () => {
    const group = startGroup()
    for (let i = 0; i < 1_000; i++) {
      group.dispatch({ type: 'roll' })
      group.advance(1)
    }
    group.advance(minuteMs)
    expect(group.outcomes.map(({ name }) => name).slice(-2)).toEqual(['finished', 'finished'])
    expect(group.outcomes.length).toBeLessThan(5)
    expect(group.group.phase).toBe('steady')
    expect(group.fewest).toBe(2)
  })

  test('that is requested during the start begins after it', () => {
    const group = new SimulatedProcesses()
    group.dispatch({ type: 'roll' })
    group.advance(minuteMs)
    expect(group.started).toBe(true)
    expect(group.outcomes).toMatchObject([{ name: 'finished' }])
    expect(group.running).toEqual([3, 4])
  })
})

describe('a shutdown', () => {
  test.each([0, 50, 150, 250])('begins %d ms after the start and starts no new processes', (ms) => {
    const group = new SimulatedProcesses()
    group.advance(ms)
    group.dispatch({ type: 'stop' })
    group.advance(minuteMs)
    expect(group.alive.size).toBe(0)
    expect(group.group.wakeAt).toBeUndefined()
  })

  test('ends a rolling restart, and answers those that were requested', () => {
    const group = startGroup()
    group.dispatch({ type: 'roll' })
    group.dispatch({ type: 'roll' })
    group.advance(150)
    group.dispatch({ type: 'stop' })
    group.dispatch({ type: 'roll' })
    group.advance(minuteMs)
    expect(group.alive.size).toBe(0)
    expect(group.outcomes).toHaveLength(3)
    for (const outcome of group.outcomes)
      expect(outcome).toMatchObject({ name: 'aborted', reason: 'shutting down' })
  })

  test('kills a process that hangs', () => {
    const group = startGroup()
    group.behavior(1).hung = true
    group.dispatch({ type: 'stop' })
    group.advance(minuteMs)
    expect(group.alive.size).toBe(0)
  })
})

/** Events that may happen to a group at any time. */
const fault = fc.record({
  afterMs: fc.integer({ min: 0, max: 20_000 }),
  kind: fc.constantFrom('kill', 'kill', 'hang', 'leave', 'roll', 'slow drain', 'exit', 'suspend supervisor'),
  which: fc.nat({ max: 5 }),
})
type Fault = typeof fault extends fc.Arbitrary<infer Value> ? Value : never

const behavior: fc.Arbitrary<Behavior> = fc.record({
  startMs: fc.integer({ min: 0, max: 5_000 }),
  drainMs: fc.integer({ min: 0, max: 70_000 }),
})

function inject(group: SimulatedProcesses, { afterMs, kind, which }: Fault): void {
  group.advance(afterMs)
  if (kind === 'roll') group.dispatch({ type: 'roll' })
  if (kind === 'suspend supervisor') group.suspendSupervisor(afterMs)
  if (kind === 'roll' || kind === 'suspend supervisor') return
  const ids = [...group.alive.keys()]
  const id = ids[which % Math.max(1, ids.length)]
  if (id === undefined) return
  if (kind === 'kill') group.kill(id)
  else if (kind === 'leave') group.leave(id)
  else if (kind === 'hang') group.behavior(id).hung = true
  else if (kind === 'slow drain') group.behavior(id).drainMs = 1_000_000
  else {
    group.alive.delete(id)
    group.dispatch({ type: 'exited', id, exit: { code: 1 } })
  }
}

describe('with random events', () => {
  test('all processes run again in bounded time, every request to roll has ended, and no new process was left out', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }),
        fc.array(behavior, { maxLength: 12 }),
        fc.array(fault, { maxLength: 25 }),
        (count, behaviors, faults) => {
          const group = new SimulatedProcesses(behaviors, { count, heartbeatIntervalMs: 5_000 })
          group.advance(count * 6_000)
          expect(group.started).toBe(true)
          for (const one of faults) inject(group, one)
          const rolls = faults.filter(({ kind }) => kind === 'roll').length
          // At most two rolling restarts remain, each with `count` starts, drains and kills.
          group.advance(2 * (count + 4) * 100_000)
          expect(group.group.phase).toBe('steady')
          expect(group.running).toHaveLength(count)
          expect([...group.alive.keys()].sort()).toEqual(group.running.toSorted())
          expect(group.group.processes.every(({ answers }) => answers)).toBe(true)
          expect(group.outcomes.length).toBeLessThanOrEqual(rolls)
          if (rolls > 0) expect(group.outcomes.length).toBeGreaterThan(0)
          expect(group.mostStarting).toBe(1)
          expect(group.mostRetiring).toBeLessThanOrEqual(1)
          expect(group.excluded).toBe(0)
          // A group in order stays in order.
          const { running, kills } = group
          const killed = kills.length
          group.advance(10 * minuteMs)
          expect(group.running).toEqual(running)
          expect(group.kills).toHaveLength(killed)
        },
      ),
      { numRuns: 100 },
    )
  }, 60_000)

  test('all processes end in bounded time after a stop', () => {
    fc.assert(
      fc.property(
        fc.array(behavior, { maxLength: 12 }),
        fc.array(fault, { maxLength: 10 }),
        fc.integer({ min: 0, max: 20_000 }),
        (behaviors, faults, stopAfterMs) => {
          const group = new SimulatedProcesses(behaviors)
          for (const one of faults) inject(group, one)
          group.advance(stopAfterMs)
          const known = new Set(group.alive.keys())
          group.dispatch({ type: 'stop' })
          group.advance(100_000)
          expect([...group.alive.keys()].filter((id) => !known.has(id))).toEqual([])
          // The supervisor's shutdown ends those that drain for too long.
          for (const id of group.alive.keys()) expect(group.behavior(id).drainMs).toBeGreaterThan(100_000)
        },
      ),
      { numRuns: 100 },
    )
  }, 60_000)
})
