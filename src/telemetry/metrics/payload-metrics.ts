import type { Registry } from 'prom-client'
import { HistogramSeries, registerHistogram } from './histogram-series.ts'

const sizeBuckets = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const

/**
 * The sizes of accepted payloads. On the hot path of every analysis.
 *
 * @returns counts the size of one accepted payload
 */
export function createPayloadMetrics(
  registry: Registry,
  prefix: string,
): (numbers: number, textCharacters: number) => void {
  const createHistogram = (name: string, help: string): HistogramSeries => {
    const series = new HistogramSeries(sizeBuckets)
    registerHistogram(registry, {
      name: `${prefix}${name}`,
      help,
      buckets: sizeBuckets,
      series: () => [[{}, series]],
    })
    return series
  }
  const numbers = createHistogram('payload_numbers', 'Numbers in an accepted payload')
  const characters = createHistogram(
    'payload_text_characters',
    'Characters in the text of an accepted payload',
  )
  return (count, length) => {
    numbers.observe(count)
    characters.observe(length)
  }
}
