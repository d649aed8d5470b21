import { describe, expect, test } from 'bun:test'
import { createInput } from './inputs.ts'
import { createRandom } from './random.ts'

const textOf = (seed: number): string => Buffer.concat(createInput(createRandom(seed))).toString('latin1')

describe('an input', () => {
  test('is the same for the same seed and differs for another', () => {
    expect(textOf(7)).toBe(textOf(7))
    expect(new Set(Array.from({ length: 200 }, (_, seed) => textOf(seed))).size).toBeGreaterThan(190)
  })

  test('has up to three pieces, each with at least one byte; no piece when truncation left nothing', () => {
    const random = createRandom(1)
    const inputs = Array.from({ length: 2_000 }, () => createInput(random))
    expect(inputs.every((pieces) => pieces.every(({ length }) => length > 0))).toBe(true)
    expect(new Set(inputs.map(({ length }) => length))).toEqual(new Set([0, 1, 2, 3]))
  })

  test('is occasionally a correct request, but mostly not', () => {
    const random = createRandom(1)
    const right = /^(?:POST|GET) \/\S* HTTP\/1\.1\r\nHost: localhost\r\n(?:[\w-]+: .*\r\n)*\r\n/
    const inputs = Array.from({ length: 2_000 }, () => Buffer.concat(createInput(random)).toString('latin1'))
    const share = inputs.filter((input) => right.test(input)).length / inputs.length
    expect(share).toBeGreaterThan(0.1)
    expect(share).toBeLessThan(0.9)
  })
})

test('random numbers fill their range evenly', () => {
  const random = createRandom(3)
  const counts = new Float64Array(10)
  for (let i = 0; i < 10_000; i++) {
    const drawn = random.below(10)
    counts[drawn] = (counts[drawn] ?? 0) + 1
  }
  expect(Math.min(...counts)).toBeGreaterThan(800)
  expect(Math.max(...counts)).toBeLessThan(1_200)
})
