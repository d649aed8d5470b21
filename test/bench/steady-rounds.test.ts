import { expect, test } from 'bun:test'
import type { Measurement, Window } from '../../bench/rounds.ts'
import { steadyRounds } from '../../bench/steady-rounds.ts'

function pairOf(first: readonly number[], second: readonly number[]): Measurement[] {
  const windowOf = (serverBusy: number): Window => ({
    requests: 1,
    seconds: 1,
    cpuMicrosPerRequest: 1,
    serverBusy,
    loadBusy: 1,
    latencyMsP50: 1,
    latencyMsP99: 1,
    residentBytes: 1,
  })
  return [
    { target: 'before', windows: first.map(windowOf), notes: [] },
    { target: 'after', windows: second.map(windowOf), notes: [] },
  ]
}

const busyOf = (pairs: readonly (readonly Measurement[])[]): number[][] =>
  pairs.flat().map(({ windows }) => windows.map(({ serverBusy }) => serverBusy))

test('a round in which one server was kept waiting is left out for both', () => {
  const { pairs, notes } = steadyRounds([pairOf([1, 0.9, 0.4], [0.95, 0.9, 1])])
  expect(busyOf(pairs)).toEqual([
    [1, 0.9],
    [0.95, 0.9],
  ])
  expect(notes).toEqual(['1 of 3 rounds left out: another program took the core'])
})

test('all rounds are kept, with a note, when most were disturbed', () => {
  const { pairs, notes } = steadyRounds([pairOf([1, 0.3, 0.4], [0.95, 0.9, 1])])
  expect(busyOf(pairs)[0]).toHaveLength(3)
  expect(notes).toEqual(['the machine was not quiet: 1 of 3 rounds undisturbed, all counted'])
})

test('without disturbance nothing is said', () => {
  expect(steadyRounds([pairOf([1], [0.99])]).notes).toEqual([])
})
