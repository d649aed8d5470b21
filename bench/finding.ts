/** What a row of the table of goals comes to. */
export interface Finding {
  readonly figure: string
  readonly verdict: 'met' | 'missed' | 'not measured'
  /** The same figure of the others. */
  readonly beside: readonly string[]
}
