import { dlopen, ptr } from 'bun:ffi'
import { readFileSync } from 'node:fs'
import { childrenOf } from './process-tree.ts'

/** The unit of times in /proc: hundredths of a second on Linux, independent of the kernel's timer frequency. */
const ticksPerSecond = 100

const nanosecondsPerSecond = 1e9

/**
 * CPU time of a process and its descendants so far, in seconds: user and system time of all threads, including ended
 * ones, from the kernel's accounting. The resolution is microseconds; for children that have ended it is 0.01 s.
 *
 * @throws when no such process exists, or the system is not Linux.
 */
export function cpuSeconds(pid: number): number {
  const own = processClock(pid)
  return childrenOf(pid).reduce((sum, child) => sum + ifAlive(child), own + endedChildrenSeconds(pid))
}

/** CPU time of this process in seconds, without its children. */
export function ownCpuSeconds(): number {
  return processClock(process.pid)
}

/** A child may end between listing and reading. The next reading counts it among the ended children. */
function ifAlive(pid: number): number {
  try {
    return cpuSeconds(pid)
  } catch {
    return 0
  }
}

/**
 * CPU time in seconds from the clock of `clock_getcpuclockid(3)`: the exact count behind `utime` and `stime`, whose
 * unit of 0.01 s would be 1 % of a window.
 */
function processClock(pid: number): number {
  const time = new BigInt64Array(2)
  const clock = (~pid << 3) | 2
  if (libc().clock_gettime(clock, ptr(time)) !== 0) throw new Error(`no process ${pid}`)
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

/** CPU time of ended and reaped children, including their own children (proc_pid_stat(5)). */
function endedChildrenSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name in parentheses and may contain any character: start after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}
