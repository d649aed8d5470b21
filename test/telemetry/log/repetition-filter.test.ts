import { expect, test } from 'bun:test'
import { RepetitionFilter } from '../../../src/telemetry/log/repetition-filter.ts'

test('each cause passes once a minute, with the number of those that were held back', () => {
  let now = 0
  const filter = new RepetitionFilter(() => now)
  expect(filter.pass('refused')).toEqual({ repeated: undefined })
  expect(filter.pass('refused')).toBeUndefined()
  expect(filter.pass('another')).toEqual({ repeated: undefined })
  now = 59_999
  expect(filter.pass('refused')).toBeUndefined()
  now = 60_000
  expect(filter.pass('refused')).toEqual({ repeated: 2 })
  now = 120_000
  expect(filter.pass('refused')).toEqual({ repeated: undefined })
})

test('remembers a limited number of causes', () => {
  const filter = new RepetitionFilter(() => 0)
  for (let n = 0; n < 101; n++) filter.pass(`cause ${n}`)
  expect(filter.pass('cause 100')).toBeUndefined()
  expect(filter.pass('cause 0')).toEqual({ repeated: undefined })
})
