/** The result of one row of the table of goals. */
export interface Finding {
  readonly figure: string
  readonly verdict: 'met' | 'missed' | 'not measured'
  /** The same figure for the peers. */
  readonly beside: readonly string[]
}
