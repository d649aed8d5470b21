import { readFileSync } from 'node:fs'
import { childrenOf } from './process-tree.ts'

/**
 * What a process and everything it started have in memory, in bytes (VmRSS of proc_pid_status(5)). Pages that
 * several of them share are counted by each.
 *
 * @throws when there is no such process.
 */
export function residentBytes(pid: number): number {
  const [, kibibytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return childrenOf(pid).reduce((sum, child) => sum + residentBytes(child), Number(kibibytes) * 1024)
}
