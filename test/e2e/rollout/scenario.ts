import type { Platform, Slot } from './platform.ts'

/** Marks the beginning of a step: `phase: step`. Requests are counted by phase. */
export type Mark = (label: string) => Promise<void>

const first: readonly Slot[] = ['api-1', 'api-2', 'api-3']

/** How long a load runs undisturbed before and between steps, in ms. */
const pauseMs = 2_000

/**
 * Rolls all three instances to a new version, `rolls` times; scales to five and from there to two. Scaling down stops
 * three instances at once, like a platform.
 */
export async function rollAndScale(platform: Platform, mark: Mark, rolls: number): Promise<void> {
  await Bun.sleep(pauseMs)
  for (let roll = 1; roll <= rolls; roll++) {
    for (const slot of first) {
      await mark(`roll ${roll}: ${slot} stops`)
      await platform.remove(slot)
      await platform.add(slot, `v${roll + 1}`)
    }
    await mark(`roll ${roll}: done`)
    await Bun.sleep(pauseMs / 2)
  }
  const version = `v${rolls + 1}`
  await mark('3 to 5: api-4 and api-5 start')
  await Promise.all([platform.add('api-4', version), platform.add('api-5', version)])
  await Bun.sleep(pauseMs)
  await mark('5 to 2: three stop')
  await Promise.all(first.map((slot) => platform.remove(slot)))
  await mark('2 left: steady')
}

/** Kills one of three instances with a request in flight. */
export async function killOne(platform: Platform, mark: Mark): Promise<void> {
  await Bun.sleep(pauseMs)
  await mark('SIGKILL: api-2')
  await platform.killBusy('api-2')
}
