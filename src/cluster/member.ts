import type { Registry } from 'prom-client'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { FromMember, Snapshot, ToMember } from './messages.ts'
import { openSteering } from './reuseport.ts'

/** How often a process tells what it has counted, in ms: what a SIGKILL can take from the sum. */
const snapshotEveryMs = 1_000

/** How long a scrape waits for the supervisor, in ms; then it answers for this process alone. */
const sumTimeoutMs = 2_000

export interface Member {
  /** The metrics of all processes, in the text format. */
  scrape(): Promise<string>
}

/**
 * Joins the processes that share a port: tells the supervisor that this one listens and what it counts,
 * and steers the port's connections when told to. A member whose supervisor is gone drains.
 *
 * @param stop called when the supervisor is gone.
 */
export function joinSupervisor(
  { lifecycle, registry, port }: { lifecycle: Lifecycle; registry: Registry; port: number },
  stop: () => void,
): Member {
  const sums = new Map<number, (text: string) => void>()
  let lastId = 0

  const snapshot = async (): Promise<Snapshot> => (await registry.getMetricsAsJSON()) as unknown as Snapshot
  const send = (message: FromMember): void => {
    if (process.connected) process.send?.(message)
  }
  const sendSnapshot = async (): Promise<void> => send({ type: 'snapshot', snapshot: await snapshot() })

  const steer = (message: ToMember & { type: 'steer-away' | 'steer-evenly' }): FromMember => {
    try {
      const steering = openSteering(port)
      if (message.type === 'steer-away') steering.away(message.index, message.size)
      else steering.even()
      return { type: 'steered' }
    } catch (error) {
      return { type: 'steered', problem: error instanceof Error ? error.message : String(error) }
    }
  }

  process.on('message', (message: ToMember) => {
    if (message.type === 'sum') {
      sums.get(message.id)?.(message.text)
      sums.delete(message.id)
    } else if (message.type === 'snapshot-wanted') void sendSnapshot()
    else send(steer(message))
  })
  process.on('disconnect', stop)
  const timer = setInterval(() => void sendSnapshot(), snapshotEveryMs)
  timer.unref()
  lifecycle.onClose('metrics', sendSnapshot)
  send({ type: 'listening', port })

  return {
    async scrape() {
      const own = await snapshot()
      const id = ++lastId
      return new Promise((resolve) => {
        const alone = setTimeout(async () => {
          sums.delete(id)
          resolve(await registry.metrics())
        }, sumTimeoutMs)
        sums.set(id, (text) => {
          clearTimeout(alone)
          resolve(text)
        })
        send({ type: 'sum-wanted', id, snapshot: own })
      })
    },
  }
}
