import { expect, test } from 'bun:test'
import type { RequestRecord } from '../../load/record.ts'
import { drawRoll } from '../../tools/roll-picture.ts'

const record = (endedMs: number, instance: string, kind: RequestRecord['class'] = 'answered') => ({
  endedMs,
  durationMs: 7,
  class: kind,
  size: 'small',
  status: 200,
  errorCode: 0,
  instance,
  closedIdle: false,
  requestId: `id-${endedMs}`,
  reason: '',
})
const records = [record(1_000, 'api-1-v1'), record(1_100, 'api-1-v1'), record(3_000, 'api-1-v2')]
const events = [{ atMs: 2_000, label: 'roll 1: api-1 stops' }]

test('draws a lane with its total for each instance, the older version first', () => {
  const svg = drawRoll({ records: records.toReversed(), events })
  expect(svg).toContain('3 requests while every instance is replaced: 0 lost, 0 refused')
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text)
  expect(texts).toContain('api-1 ↓')
  expect(texts.filter((text) => /^api-1-|^\d+$/.test(text ?? ''))).toEqual(['api-1-v1', '2', 'api-1-v2', '1'])
})

test.each(['lost', 'refused'] as const)('refuses a run with a %s request', (kind) => {
  expect(() => drawRoll({ records: [...records, record(3_100, '', kind)], events })).toThrow(`1`)
})

test('refuses a run without an answer', () => {
  expect(() => drawRoll({ records: [], events })).toThrow('no request was answered')
})
