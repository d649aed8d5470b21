import { readdirSync, readFileSync } from 'node:fs'

/** PIDs of the running children of a process (proc_tid_children(5)). */
export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      const list = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      return list.split(' ').filter(Boolean).map(Number)
    } catch {
      // The thread has ended since readdir.
      return []
    }
  })
}
