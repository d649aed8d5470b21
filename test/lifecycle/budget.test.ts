import { expect, test } from 'bun:test'
import { closeTimeoutMs, shutdownBudgetMs } from '../../src/lifecycle/index.ts'

test('the budget is the sum of all waits from the decision to stop to the exit', () => {
  expect(shutdownBudgetMs({ preStopMs: 0, drainMaxMs: 0, shutdownTimeoutMs: 0, closeTimeoutMs: 0 })).toBe(0)
  const defaults = { preStopMs: 5_000, drainMaxMs: 20_000, shutdownTimeoutMs: 30_000, closeTimeoutMs }
  expect(shutdownBudgetMs(defaults)).toBe(60_000)
})
