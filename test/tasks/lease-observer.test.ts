import { describe, expect, test } from 'bun:test'
import { LeaseObserver } from '../../src/tasks/lease-observer.ts'

/** An observer of leases of 1,000 ms, by a clock that the test moves. Before each observation it writes to the queue. */
function observe({ canWrite = () => true }: { canWrite?: () => boolean | undefined } = {}) {
  let now = 5_000
  const observer = new LeaseObserver(1_000, () => now)
  return (afterMs: number, ...leases: [lease: string, beat: number][]) => {
    now += afterMs
    const hasWritten = canWrite()
    if (hasWritten !== undefined) observer.recordWrite(hasWritten)
    return observer.observe(leases.map(([lease, beat]) => ({ lease, beat }))).map(({ lease }) => lease)
  }
}

describe('LeaseObserver', () => {
  test('a lease expires when its beat has stood still for as long as a lease holds', () => {
    const after = observe()
    expect(after(250, ['a', 0])).toEqual([])
    for (let n = 0; n < 3; n++) expect(after(250, ['a', 0])).toEqual([])
    expect(after(250, ['a', 0])).toEqual(['a'])
  })

  test('a renewal begins a new lease', () => {
    const after = observe()
    for (let n = 0; n < 20; n++) expect(after(250, ['a', Math.floor(n / 3)])).toEqual([])
  })

  test('a lease that is seen for the first time holds from now on', () => {
    const after = observe()
    for (let n = 0; n < 4; n++) expect(after(250, ['a', 0])).toEqual([])
    expect(after(250, ['a', 0], ['b', 7])).toEqual(['a'])
    expect(after(250, ['b', 7])).toEqual([])
  })

  test('time without observations counts for little, because no worker could renew then', () => {
    const after = observe()
    expect(after(250, ['a', 0])).toEqual([])
    expect(after(3_600_000, ['a', 0])).toEqual([])
    expect(after(250, ['a', 0])).toEqual([])
    expect(after(250, ['a', 0])).toEqual(['a'])
  })

  test('nothing expires while this process cannot write to the queue, nor before others could renew', () => {
    let canWrite: boolean | undefined = true
    const after = observe({ canWrite: () => canWrite })
    expect(after(250, ['a', 0])).toEqual([])
    canWrite = false
    for (let n = 0; n < 20; n++) expect(after(250, ['a', 0])).toEqual([])
    canWrite = true
    for (let n = 0; n < 3; n++) expect(after(250, ['a', 0])).toEqual([])
    expect(after(250, ['a', 0])).toEqual(['a'])
  })

  test('nothing expires while a write of this process hangs', () => {
    let canWrite: boolean | undefined = true
    const after = observe({ canWrite: () => canWrite })
    for (let n = 0; n < 3; n++) expect(after(250, ['a', 0])).toEqual([])
    canWrite = undefined
    for (let n = 0; n < 20; n++) expect(after(250, ['a', 0])).toEqual([])
    canWrite = true
    expect(after(250, ['a', 0])).toEqual(['a'])
  })

  test('a task that was claimed again has another lease', () => {
    const after = observe()
    for (let n = 0; n < 4; n++) expect(after(250, ['a', 0])).toEqual([])
    expect(after(250, ['b', 0])).toEqual([])
  })
})
