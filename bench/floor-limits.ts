/** CPU time per request over that of the merge base, at the most. Larger payloads vary more from window to window. */
export const limits: Readonly<Record<string, number>> = {
  small: 1.1,
  medium: 1.15,
  large: 1.15,
  data: 1.15,
  tasks: 1.15,
}

/** What compare.ts writes, as far as it is read here. */
interface Comparison {
  readonly results: readonly {
    readonly name: string
    readonly ratio?: { readonly median: number }
    readonly notes: readonly string[]
  }[]
}

/**
 * The median ratio of each row.
 *
 * @throws Error when a row was not measured, or was rejected: what was not measured has not passed
 */
export function parseRatios({ results }: Comparison, rows: readonly string[]): Map<string, number> {
  return new Map(
    rows.map((row) => {
      const result = results.find(({ name }) => name === row)
      if (result?.ratio === undefined || !Number.isFinite(result.ratio.median))
        throw new Error(`${row} was not measured: ${result?.notes.join('; ') || 'no such row'}`)
      return [row, result.ratio.median]
    }),
  )
}

/** The rows whose ratio is over their limit. */
export function overLimit(ratios: ReadonlyMap<string, number>): string[] {
  return [...ratios].filter(([row, ratio]) => ratio > (limits[row] as number)).map(([row]) => row)
}

/** One line for each row: ratio, limit, verdict. */
export function renderRatios(ratios: ReadonlyMap<string, number>): string {
  return [...ratios]
    .map(([row, ratio]) => {
      const limit = limits[row] as number
      return `${row.padEnd(8)}${ratio.toFixed(3)} of at most ${limit.toFixed(2)}  ${ratio > limit ? 'SLOWER' : 'ok'}`
    })
    .join('\n')
}
