import type { Registry } from 'prom-client'
import { Counter } from './prom-client.ts'

const shedReasons = ['in_flight', 'event_loop'] as const

export type ShedReason = (typeof shedReasons)[number]

export interface ApplicationMetrics {
  /** Counts one accepted task. */
  countTask(): void
  /** Counts one created document. */
  countDocument(): void
  /** Counts one request refused by load shedding. */
  countShed(reason: ShedReason): void
  /** Counts one request that passed the rate limit unchecked because Redis was unreachable. */
  countRateLimitFailOpen(): void
}

/** Counters of what the application has accepted and refused. */
export function createApplicationMetrics(registry: Registry, prefix: string): ApplicationMetrics {
  const registers = [registry]
  const tasks = new Counter({ name: `${prefix}tasks_created_total`, help: 'Tasks accepted', registers })
  const documents = new Counter({
    name: `${prefix}documents_created_total`,
    help: 'Documents created',
    registers,
  })
  const shed = new Counter({
    name: `${prefix}requests_shed_total`,
    help: 'Requests refused by load shedding, by reason',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of shedReasons) shed.inc({ reason }, 0)
  const failOpen = new Counter({
    name: `${prefix}rate_limit_fail_open_total`,
    help: 'Requests allowed without a rate limit check because Redis was unreachable',
    registers,
  })
  return {
    countTask: () => tasks.inc(),
    countDocument: () => documents.inc(),
    countShed: (reason) => shed.inc({ reason }),
    countRateLimitFailOpen: () => failOpen.inc(),
  }
}
