import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { cores } from './cores.ts'

/** Where figures come from: without it they say nothing. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly bun: string
  /** Whether servers and load had a core each. */
  readonly pinned: boolean
  /** What else the machine had to do: processes wanting a core, over the last minute. */
  readonly loadAverage: number
}

/** The machine as it is now. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    kernel: release(),
    bun: Bun.version,
    pinned: cores !== undefined,
    loadAverage: loadavg()[0] ?? 0,
  }
}
