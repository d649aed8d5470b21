import { readFileSync } from 'node:fs'

/** The core of the servers and the core of the load generator. */
interface Cores {
  readonly server: number
  readonly load: number
}

/**
 * The first two cores that this process may use; undefined with fewer than two, without `taskset` or not on Linux. Then
 * nothing is pinned: servers and load generator compete for cores, and the report says so.
 */
export const cores: Cores | undefined = findCores()

/** Wraps a command so that it runs, with all its threads, on the server's core. */
export function onServerCore(command: readonly string[]): string[] {
  return cores === undefined ? [...command] : ['taskset', '--cpu-list', String(cores.server), ...command]
}

/** Wraps a command so that it may use the load's core too, after `onServerCore`. */
export function onAllCores(command: readonly string[]): string[] {
  return cores === undefined
    ? [...command]
    : ['taskset', '--cpu-list', `${cores.server},${cores.load}`, ...command]
}

/** Moves this process with all its threads to the load's core. */
export function moveToLoadCore(): void {
  if (cores !== undefined) moveTo([cores.load])
}

/** Moves this process with all its threads to these cores. An empty list changes nothing. */
export function moveTo(list: readonly number[]): void {
  if (list.length === 0) return
  Bun.spawnSync(['taskset', '--all-tasks', '--pid', '--cpu-list', list.join(','), String(process.pid)])
}

function findCores(): Cores | undefined {
  if (process.platform !== 'linux' || Bun.which('taskset') === null) return undefined
  const [server, load] = allowedCores()
  return server === undefined || load === undefined ? undefined : { server, load }
}

/** Core numbers from the kernel's list, such as `2-3,7`: in a container they may not start at 0. */
function allowedCores(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}
