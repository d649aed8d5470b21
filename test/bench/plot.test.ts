import { expect, test } from 'bun:test'
import { type Panel, plot } from '../../bench/plot.ts'

const panel: Panel = {
  title: 'time',
  xLabel: 'numbers',
  xTicks: [
    [1, '1'],
    [100, '100'],
  ],
  yTicks: [
    [0, '0'],
    [4, '4'],
  ],
  isLogarithmicY: false,
  series: [
    {
      name: 'tally',
      points: [
        [1, 0],
        [10, 2],
        [100, 4],
      ],
    },
    {
      name: 'slow',
      points: [
        [1, 3],
        [100, 9],
      ],
    },
  ],
}

const pointsOf = (svg: string, series: number): number[][] => {
  const [, points = ''] = new RegExp(`points="([^"]*)" class="line s${series}"`).exec(svg) ?? []
  return points.split(' ').map((point) => point.split(',').map(Number))
}

test('x is logarithmic: equal factors are equal steps', () => {
  const [first, second, third] = pointsOf(plot('cost', [panel], 'a machine'), 0)
  expect(second![0]! - first![0]!).toBeCloseTo(third![0]! - second![0]!, 0)
  expect(second![1]! - first![1]!).toBeCloseTo(third![1]! - second![1]!, 0)
})

test('y may be logarithmic too', () => {
  const yTicks = [
    [1, '1'],
    [16, '16'],
  ] as const
  const series = [
    {
      name: 'tally',
      points: [
        [1, 1],
        [10, 4],
        [100, 16],
      ],
    },
  ] as const
  const [first, second, third] = pointsOf(
    plot('cost', [{ ...panel, yTicks, series, isLogarithmicY: true }], ''),
    0,
  )
  expect(second![1]! - first![1]!).toBeCloseTo(third![1]! - second![1]!, 0)
})

test('what lies beyond the axis is cut', () => {
  expect(pointsOf(plot('cost', [panel], ''), 1)).toHaveLength(1)
})

test('panels stand side by side and share colours by name', () => {
  const other = { ...panel, series: panel.series.toReversed() }
  const svg = plot('cost', [panel, other], '')
  expect(svg.match(/class="line s0"/g)).toHaveLength(2)
  expect(svg.match(/class="line s1"/g)).toHaveLength(2)
})
