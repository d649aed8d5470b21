/** One bar of a plot: from `start` to `end` on the horizontal axis. */
export interface Bar {
  readonly start: number
  readonly end: number
  readonly count: number
}
