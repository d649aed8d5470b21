/** The description of this instance for the console. */
export interface InstanceJson {
  readonly name: string
  readonly version: string
  /** When the process started: a name may be used again, and processes of a supervisor share theirs. */
  readonly started_at: string
  readonly state: string
  readonly uptime_seconds: number
  readonly in_flight: number
  /** Application requests since the start. */
  readonly requests: {
    readonly total: number
    /** Of those, answered with 5xx. */
    readonly failed: number
    /** Upper bounds of the buckets, in seconds; one more bucket is above the last. */
    readonly bounds: readonly number[]
    /** Requests in each bucket, not cumulative. */
    readonly counts: readonly number[]
  }
  /** Tasks by state; null while the queue cannot be reached. */
  readonly queue: {
    readonly waiting: number
    readonly delayed: number
    readonly processing: number
    readonly completed: number
    readonly failed: number
    readonly cancelled: number
  } | null
}
