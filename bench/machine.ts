import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { cores } from './cores.ts'

/** The machine of a measurement; figures mean nothing without it. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly bun: string
  /** Whether servers and load had one core each. */
  readonly pinned: boolean
  /** One-minute load average: the competing work on the machine. */
  readonly loadAverage: number
}

/** Describes the machine in its current state. */
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
