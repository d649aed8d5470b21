/** One thing that was looked at besides the load, and what was seen. */
export interface Check {
  readonly name: string
  readonly passed: boolean
  readonly seen: string
}

/** What passed or failed, with what was seen. */
export function check(name: string, passed: boolean, seen: string): Check {
  return { name, passed, seen }
}
