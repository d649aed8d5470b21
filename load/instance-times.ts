/**
 * Total response time of each instance, for a plain `k6 run`. k6's summary accepts new check names at run time, but all
 * metrics need names in advance. So each instance adds its times to one counter in each of several tables, selected by a
 * hash of its name (a count sketch). A counter that no other instance shares holds the instance's total.
 *
 * This file does not import k6, so that `bun test` can load it.
 */

const tables = 4
const slotsPerTable = 32

const slotName = (table: number, slot: number): string => `instance_ms_${table}_${slot}`

/** The names of all counters. */
export const instanceCounterNames: readonly string[] = Array.from({ length: tables }, (_, table) =>
  Array.from({ length: slotsPerTable }, (_, slot) => slotName(table, slot)),
).flat()

/**
 * The names of an instance's counters, one per table.
 *
 * @example instanceCountersOf('api-1').length // 4
 */
export function instanceCountersOf(instance: string): string[] {
  // FNV-1a, 32 bits, then the MurmurHash3 finalizer: each table uses different bits, and all depend on the whole name.
  let hash = 0x811c9dc5
  for (let i = 0; i < instance.length; i++) hash = Math.imul(hash ^ instance.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return Array.from({ length: tables }, (_, table) => slotName(table, (hash >>> (table * 8)) % slotsPerTable))
}

/**
 * The total response time of an instance, in ms.
 *
 * @param instances the names of all instances
 * @param count returns the value of a counter
 * @returns undefined if other instances share all of its counters, which is rare with a few dozen instances
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
