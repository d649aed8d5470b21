import { readFile } from 'node:fs/promises'
import type { Child } from './child-process.ts'
import { until } from './until.ts'

/** The pids of a supervisor's worker processes that have not exited. Uses /proc, which only Linux has. */
export async function listChildren(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

/** Whether a process exists and is not a zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // After the name, which is in parentheses and may contain anything.
  return stat !== '' && stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
}

/** Waits until a process of a supervisor has logged that it listens. @param known pids to ignore */
export async function findListening(supervisor: Child, known: readonly number[] = []): Promise<number> {
  const line = await until(
    () =>
      supervisor.log.lines.find(
        ({ msg, role, pid }) => msg === 'listening' && role === 'server' && !known.includes(Number(pid)),
      ),
    { what: 'another process that listens' },
  )
  return Number(line.pid)
}
