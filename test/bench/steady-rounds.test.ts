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

test('drops a round for both servers if one of them was kept waiting', () => {
  const { pairs, notes } = steadyRounds([pairOf([1, 0.9, 0.4], [0.95, 0.9, 1])])
  expect(busyOf(pairs)).toEqual([
    [1, 0.9],
    [0.95, 0.9],
  ])
  expect(notes).toEqual(['1 of 3 rounds dropped: another program took the core'])
})

test('keeps all rounds, with a note, if most were disturbed', () => {
  const { pairs, notes } = steadyRounds([pairOf([1, 0.3, 0.4], [0.95, 0.9, 1])])
  expect(busyOf(pairs)[0]).toHaveLength(3)
  expect(notes).toEqual(['machine not quiet: only 1 of 3 rounds undisturbed, all counted'])
})

test('adds no note without disturbance', () => {
  expect(steadyRounds([pairOf([1], [0.99])]).notes).toEqual([])
})
