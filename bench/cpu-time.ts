import { readFileSync } from 'node:fs'

/** The unit of /proc's times: Linux shows them in hundredths of a second, whatever its own clock is. */
const ticksPerSecond = 100

/**
 * The CPU time that a process has used so far, in seconds: user and system time of all its threads, also of
 * those that have ended, as the kernel accounts it (proc_pid_stat(5)). Exact to 0.02 s, so differences are
 * to be taken over a second and more.
 *
 * @throws when there is no such process, or no /proc.
 */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name in parentheses and may hold anything, so count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])]
  return (userTicks + systemTicks) / ticksPerSecond
}
