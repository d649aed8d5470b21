import type { Registry } from 'prom-client'
import { Gauge } from './prom-client.ts'

const states = ['waiting', 'delayed', 'processing', 'completed', 'failed', 'cancelled'] as const

/** The current number of tasks in each state, and since when the oldest is due. */
export type ObservedQueue = Readonly<Record<(typeof states)[number], number>> & {
  readonly oldestWaitingMs: number | undefined
  readonly paused: boolean
}

/** Reads the queue; undefined while it is unreachable. Called at each scrape, which waits for it. */
export type ReadQueue = () => Promise<ObservedQueue | undefined>

/**
 * Gauges of the queue. They are absent while it is unreachable. Processes that share a queue report the same values, so
 * the aggregate of several processes is their maximum.
 */
export function createQueueGauges(registry: Registry, readQueue: ReadQueue): void {
  const read = shareConcurrent(readQueue)
  const gauge = (name: string, help: string, value: (queue: ObservedQueue) => number) =>
    new Gauge({
      name,
      help: `${help}; absent while the queue is unreachable`,
      aggregator: 'max',
      registers: [registry],
      async collect() {
        const queue = await read()
        if (queue === undefined) this.remove()
        else this.set(value(queue))
      },
    })
  gauge(
    'worker_queue_length',
    'Pending tasks in the queue, due or delayed',
    ({ waiting, delayed }) => waiting + delayed,
  )
  gauge(
    'worker_oldest_pending_seconds',
    'How long the task that has been due for longest has waited, in seconds; 0 when none waits',
    ({ oldestWaitingMs = 0 }) => oldestWaitingMs / 1_000,
  )
  gauge('worker_queue_paused', 'Whether claiming is paused by an operator: 1 or 0', ({ paused }) =>
    paused ? 1 : 0,
  )
  new Gauge({
    name: 'worker_queue_tasks',
    help: 'Tasks in the queue by state: waiting is pending and due; absent while the queue is unreachable',
    labelNames: ['state'],
    aggregator: 'max',
    registers: [registry],
    async collect() {
      const queue = await read()
      if (queue === undefined) this.reset()
      else for (const state of states) this.set({ state }, queue[state])
    },
  })
}

/** Concurrent calls share one result: a scrape collects all gauges at once. */
function shareConcurrent<T>(call: () => Promise<T>): () => Promise<T> {
  let pending: Promise<T> | undefined
  return () => {
    pending ??= call().finally(() => {
      pending = undefined
    })
    return pending
  }
}
