import type { Registry } from 'prom-client'
import { Gauge } from './prom-client.ts'

/** The result of one dependency check. */
export interface ObservedCheck {
  readonly status: 'ok' | 'failing'
  readonly required: boolean
}

/** Runs the checks; called at each scrape, which waits for it. Never rejects. */
export type ReadChecks = () => Promise<Readonly<Record<string, ObservedCheck>>>

/**
 * The dependency checks of `/ready`, so that an alert covers a failing check that takes no instance out of rotation.
 * Among several processes on one port, one failure is enough.
 */
export function createCheckMetrics(registry: Registry, readChecks: ReadChecks): void {
  new Gauge({
    name: 'app_check_failing',
    help: 'Whether a dependency check of /ready fails: 1 or 0. A required one takes the instance out of rotation',
    labelNames: ['check', 'required'],
    aggregator: 'max',
    registers: [registry],
    async collect() {
      for (const [check, { status, required }] of Object.entries(await readChecks()))
        this.set({ check, required: String(required) }, status === 'failing' ? 1 : 0)
    },
  })
}
