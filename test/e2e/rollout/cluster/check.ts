/** One check besides the load, and its result. */
export interface Check {
  readonly name: string
  readonly passed: boolean
  readonly seen: string
}

/** Whether it passed, with the observation. */
export function check(name: string, passed: boolean, seen: string): Check {
  return { name, passed, seen }
}
