import { expect, test } from 'bun:test'
import { instanceCounterNames, instanceCountersOf, totalMsOf } from '../../load/instance-times.ts'

/** The counters after each instance has added its total. */
function countersOf(totals: ReadonlyMap<string, number>): (name: string) => number {
  const counters = new Map<string, number>()
  for (const [instance, total] of totals)
    for (const name of instanceCountersOf(instance)) counters.set(name, (counters.get(name) ?? 0) + total)
  return (name) => counters.get(name) ?? 0
}

test('finds the total of each of a dozen instances with names that platforms use', () => {
  for (const name of [
    (i: number) => `api-${i}`,
    (i: number) => `tally-7c9f8d6b5-${(i * 7_919).toString(36)}`,
  ]) {
    const totals = new Map(Array.from({ length: 12 }, (_, i) => [name(i), 10 ** 6 + i]))
    const names = [...totals.keys()]
    for (const [instance, total] of totals) expect(totalMsOf(instance, names, countersOf(totals))).toBe(total)
  }
})

test('an instance has one predeclared counter in each table', () => {
  for (const instance of ['', 'a', 'api-1', 'ж😀']) {
    const names = instanceCountersOf(instance)
    expect(new Set(names).size).toBe(4)
    for (const name of names) expect(instanceCounterNames).toContain(name)
  }
})

test('returns no total, rather than a wrong one, for an instance that shares all of its counters', () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `api-${i}`)
  const totals = new Map(names.map((name, i) => [name, i + 1]))
  const counters = countersOf(totals)
  let unknown = 0
  for (const [instance, total] of totals) {
    const found = totalMsOf(instance, names, counters)
    if (found === undefined) unknown++
    else expect(found).toBe(total)
    if (unknown > 10) break
  }
  expect(unknown).toBeGreaterThan(0)
})
