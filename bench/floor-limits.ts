/** Maximum CPU time per request relative to the merge base. Larger payloads vary more between windows. */
export const limits: Readonly<Record<string, number>> = {
  small: 1.1,
  medium: 1.15,
  large: 1.15,
  data: 1.15,
  tasks: 1.15,
}

/** The parts of compare.ts's output that this file reads. */
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
 * @throws Error if a row was not measured or was rejected: an unmeasured row must not pass
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

/** The rows with a ratio above their limit. */
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
