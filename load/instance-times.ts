/**
 * The total time of the answers of each instance, for a k6 that runs alone. Its summary has checks by a name that is known
 * only while it runs, but metrics only by names that are known before. So each instance adds its times to one counter of
 * each of several tables, found by a hash of its name. What it shares with no other instance in one of the tables is its own.
 *
 * This file knows nothing of k6, so that `bun test` can import it.
 */

const tables = 4
const slotsPerTable = 32

const slotName = (table: number, slot: number): string => `instance_ms_${table}_${slot}`

/** The names of all counters. */
export const instanceCounterNames: readonly string[] = Array.from({ length: tables }, (_, table) =>
  Array.from({ length: slotsPerTable }, (_, slot) => slotName(table, slot)),
).flat()

/**
 * The names of the counters of one instance, one of each table.
 *
 * @example instanceCountersOf('api-1').length // 4
 */
export function instanceCountersOf(instance: string): string[] {
  // FNV-1a, 32 bits, then the finalizer of MurmurHash3: each table takes other bits, which all depend on the whole name.
  let hash = 0x811c9dc5
  for (let i = 0; i < instance.length; i++) hash = Math.imul(hash ^ instance.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return Array.from({ length: tables }, (_, table) => slotName(table, (hash >>> (table * 8)) % slotsPerTable))
}

/**
 * The total time of an instance's answers, in ms.
 *
 * @param instances the names of all instances
 * @param count the value of a counter
 * @returns undefined when it shares each of its counters, which hardly ever happens with a few dozen instances
 */
export function totalMsOf(
  instance: string,
  instances: readonly string[],
  count: (name: string) => number,
): number | undefined {
  const others = new Set(instances.filter((each) => each !== instance).flatMap(instanceCountersOf))
  const own = instanceCountersOf(instance).find((name) => !others.has(name))
  return own === undefined ? undefined : count(own)
}
