import { describe, expect, test } from 'bun:test'
import { analyze } from '../../src/analysis/payload.ts'
import { summaryText } from '../../src/http/payload-text.ts'

describe('the text of a summary is what JSON.stringify makes of it', () => {
  const lists: [name: string, numbers: number[]][] = [
    ['integers', [1, 2, 3, 4, 5]],
    ['one number', [7]],
    ['negative zero', [-0]],
    ['doubles with all their digits', [0.1, 0.2, 0.3]],
    ['the smallest double', [5e-324, -5e-324, 1e-310]],
    ['the largest doubles', [Number.MAX_VALUE, -Number.MAX_VALUE]],
    ['numbers written with an exponent', [1e21, 1e-7, 123456789012345680000]],
  ]
  for (const [name, numbers] of lists) {
    for (const timeMs of [0, 0.05, 12.34]) {
      test(`${name}, in ${timeMs} ms`, () => {
        const analysis = analyze({ numbers, text: 'Two words. "Quoted"\n…' })
        expect(summaryText(analysis, timeMs)).toBe(
          JSON.stringify({ ...analysis, processing_time_ms: timeMs }),
        )
      })
    }
  }
})
