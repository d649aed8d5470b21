import { readFileSync } from 'node:fs'
import { childrenOf } from './process-tree.ts'

/**
 * Resident memory of a process and its descendants, in bytes (VmRSS of proc_pid_status(5)). Shared pages count
 * once for each process that maps them.
 *
 * @throws when no such process exists.
 */
export function residentBytes(pid: number): number {
  const [, kibibytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return childrenOf(pid).reduce((sum, child) => sum + residentBytes(child), Number(kibibytes) * 1024)
}
