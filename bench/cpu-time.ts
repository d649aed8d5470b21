import { dlopen, ptr } from 'bun:ffi'
import { readFileSync } from 'node:fs'
import { childrenOf } from './process-tree.ts'

/** The unit of /proc's times: Linux shows them in hundredths of a second, whatever its own clock is. */
const ticksPerSecond = 100

const nanosecondsPerSecond = 1e9

/**
 * The CPU time that a process and everything it started have used so far, in seconds: user and system time of all
 * threads, also of those that have ended, as the kernel accounts it. Exact to microseconds, but for children that
 * have ended: those are known to 0.01 s.
 *
 * @throws when there is no such process, or this is not Linux.
 */
export function cpuSeconds(pid: number): number {
  const own = processClock(pid)
  return childrenOf(pid).reduce((sum, child) => sum + ifAlive(child), own + endedChildrenSeconds(pid))
}

/** The CPU time of this process alone, in seconds, without that of the servers it has started. */
export function ownCpuSeconds(): number {
  return processClock(process.pid)
}

/** A child may end between being listed and being read; the next reading has it among those that ended. */
function ifAlive(pid: number): number {
  try {
    return cpuSeconds(pid)
  } catch {
    return 0
  }
}

/**
 * What `clock_getcpuclockid(3)` gives for a process, and the kernel's own count behind `utime` and `stime`: those
 * are shown in hundredths of a second, which is 1 % of a window.
 */
function processClock(pid: number): number {
  const time = new BigInt64Array(2)
  const clock = (~pid << 3) | 2
  if (libc().clock_gettime(clock, ptr(time)) !== 0) throw new Error(`there is no process ${pid}`)
  return Number(time[0]) + Number(time[1]) / nanosecondsPerSecond
}

let opened: ReturnType<typeof openLibc> | undefined

function libc() {
  opened ??= openLibc()
  return opened.symbols
}

function openLibc() {
  return dlopen('libc.so.6', { clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' } })
}

/** Of children that have ended and were waited for, theirs included (proc_pid_stat(5)). */
function endedChildrenSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name in parentheses and may hold anything, so count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}
