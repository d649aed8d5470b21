import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../support/free-ports.ts'
import { type Service, startService } from '../../support/service.ts'
import { startBalancer } from '../rollout/balancer.ts'

/** The used slots of the balancer. */
export const slots = ['api-1', 'api-2', 'api-3'] as const
export type Slot = (typeof slots)[number]
/** The number of slots in the balancer's configuration. */
const slotCount = 5

/** Three instances behind HAProxy with the shipped configuration. Disposing of them kills them. */
export interface Instances extends AsyncDisposable {
  /** The balancer. */
  readonly url: string
  /** The instance of a slot, named after the slot and the version. */
  get(slot: Slot): Service
  /** Starts an instance in a free slot. Resolves when the balancer uses it. */
  start(slot: Slot, version: string): Promise<void>
  /** Replaces an instance like a platform: SIGTERM for the old one, then a start of the new one. */
  replace(slot: Slot, version: string): Promise<void>
}

/** Starts instances of version v1 in all slots. */
export async function startInstances(): Promise<Instances> {
  const directory = await mkdtemp(join(tmpdir(), 'tally-instances-'))
  const [port = 0, statsPort = 0, ...slotPorts] = freePorts(2 + slotCount)
  const services = new Map<Slot, Service>()
  const started = new AsyncDisposableStack()
  const run = async (slot: Slot, version: string): Promise<void> => {
    const env = {
      PORT: String(slotPorts[slots.indexOf(slot)]),
      INSTANCE_NAME: `${slot}-${version}`,
      SERVICE_VERSION: version,
      // The balancer needs only a part of this time; the rest is for a loaded machine.
      DRAIN_MIN: '3s',
      DRAIN_QUIET: '500ms',
      ACCESS_LOG: 'false',
    }
    services.set(slot, started.use(await startService({ env })))
  }
  await Promise.all(slots.map((slot) => run(slot, 'v1')))
  const balancer = await startBalancer({ directory, port, statsPort, slotPorts, retries: 2 })
  const get = (slot: Slot): Service => {
    const service = services.get(slot)
    if (service === undefined) throw new Error(`${slot} has no instance`)
    return service
  }
  const start = async (slot: Slot, version: string): Promise<void> => {
    await run(slot, version)
    await balancer.untilUp(slot)
  }
  for (const slot of slots) await balancer.untilUp(slot)
  return {
    url: balancer.url,
    get,
    start,
    async replace(slot, version) {
      const exitCode = await get(slot).stop()
      if (exitCode !== 0) throw new Error(`${slot} ended with ${exitCode}`)
      await start(slot, version)
    },
    async [Symbol.asyncDispose]() {
      await balancer.stop()
      await started.disposeAsync()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
