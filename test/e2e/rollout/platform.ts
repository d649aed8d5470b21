import { freePorts } from '../../support/free-ports.ts'
import { until } from '../../support/until.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import type { Guarded } from './guarded.ts'
import { type Instance, type InstanceEnd, startInstance } from './instance.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'
import type { Program } from './settings.ts'

/** The number of slots in the balancer's configuration. */
const slots = ['api-1', 'api-2', 'api-3', 'api-4', 'api-5'] as const
export type Slot = (typeof slots)[number]

/** A former instance, and how it ended. */
export interface Ended extends InstanceEnd {
  readonly instance: Instance
}

/** A balancer, its instances and Prometheus, on free loopback ports. */
export interface Platform {
  readonly url: string
  readonly prometheusUrl: string
  readonly balancer: Balancer
  /** Every instance so far, in order of start. */
  readonly instances: readonly Instance[]
  readonly ended: readonly Ended[]
  /** Starts an instance in a free slot; resolves when the balancer uses it. */
  add(slot: Slot, version: string): Promise<void>
  /** Stops the instance of a slot like a platform; resolves when it is gone. */
  remove(slot: Slot): Promise<void>
  /** Kills the instance of a slot during a request. */
  killBusy(slot: Slot): Promise<void>
  /** Stops everything, the instances first, as in a shutdown of the whole platform. */
  stop(): Promise<void>
}

/**
 * Starts a platform with instances of version v1 in the first three slots.
 *
 * @param directory for all logs and files
 */
export async function startPlatform(options: {
  directory: string
  program: Program
  balancerRetries: number
  /** Undefined: open to everyone, over plain HTTP. */
  guarded?: Guarded | undefined
}): Promise<Platform> {
  const { directory, program, balancerRetries: retries, guarded } = options

  const ports = freePorts(3 + 2 * slots.length)
  const [port = 0, statsPort = 0, prometheusPort = 0, ...others] = ports
  const slotPorts = others.slice(0, slots.length)
  const metricsPorts = others.slice(slots.length)
  const instances: Instance[] = []
  const ended: Ended[] = []
  const running = new Map<Slot, Instance>()
  let prometheus: Prometheus | undefined

  // One after another, because scaling changes several slots at once.
  let scraping = Promise.resolve()
  const scrape = (): Promise<void> => {
    scraping = scraping.then(() =>
      prometheus?.setTargets([...running.values()].map(({ name: pod, scrapePort: port }) => ({ pod, port }))),
    )
    return scraping
  }
  const start = async (slot: Slot, version: string): Promise<Instance> => {
    const slotPort = slotPorts[slots.indexOf(slot)] ?? 0
    const metricsPort = metricsPorts[slots.indexOf(slot)] ?? 0
    const where = { directory, slot, version, port: slotPort, metricsPort }
    const instance = await startInstance({ ...where, program, guarded })
    instances.push(instance)
    running.set(slot, instance)
    await scrape()
    return instance
  }
  const end = async (slot: Slot, how: 'stop' | 'kill'): Promise<void> => {
    const instance = running.get(slot)
    if (instance === undefined) throw new Error(`${slot} has no instance`)
    const result = await instance[how]()
    ended.push({ instance, ...result })
    running.delete(slot)
    await scrape()
  }

  for (const slot of slots.slice(0, 3)) await start(slot, 'v1')
  prometheus = await startPrometheus(directory, prometheusPort)
  await scrape()
  const balancer = await startBalancer({
    directory,
    port,
    statsPort,
    slotPorts,
    retries,
    variant: guarded === undefined ? undefined : 'tls',
  })
  for (const slot of running.keys()) await balancer.untilUp(slot)
  for (const { name } of running.values()) await prometheus.untilScraped(name)

  return {
    url: balancer.url,
    prometheusUrl: prometheus.url,
    balancer,
    instances,
    ended,
    async add(slot, version) {
      const before = ended.findLast(({ instance }) => instance.slot === slot)
      if (before !== undefined) await prometheus.untilForgotten(before.instance.name)
      await start(slot, version)
      await balancer.untilUp(slot)
    },
    remove: (slot) => end(slot, 'stop'),
    async killBusy(slot) {
      // Paused first: a fast machine would answer between the balancer's report and the signal. What was answered
      // before the pause still reaches the balancer, so a request counts if a later report has it too.
      running.get(slot)?.pause()
      const inFlight = async (): Promise<boolean> => ((await balancer.states()).get(slot)?.inFlight ?? 0) > 0
      await until(
        async () => {
          if (!(await inFlight())) return false
          await Bun.sleep(50)
          return inFlight()
        },
        { what: `a request in flight to ${slot}`, timeoutMs: 3_000 },
      )
      await end(slot, 'kill')
    },
    async stop() {
      await Promise.all([...running.keys()].map((slot) => end(slot, 'stop')))
      await balancer.stop()
      await prometheus?.stop()
    },
  }
}
