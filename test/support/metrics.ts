/** A scrape, by series: `name{label="value"}` as printed, and its value. */
export type Scrape = ReadonlyMap<string, number>

export function parseMetrics(text: string): Scrape {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

/** The names in a scrape, without labels; those of a histogram without their suffix. */
export function familiesOf(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
}
