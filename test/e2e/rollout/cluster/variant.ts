import type { Check } from './check.ts'
import type { Platform } from './platform.ts'
import type { ClusterRun } from './run.ts'
import type { ClusterSettings } from './settings.ts'

/** How a canary gets requests: by the number of its pods, or by a weight. */
export interface Variant {
  readonly name: 'argo' | 'gateway'
  /** Why this cluster cannot run it; null if it can. */
  missing(): Promise<string | null>
  /** What it adds to the overlay with deploy/argo/canary. */
  readonly components: readonly string[]
  readonly patches: readonly object[]
  /** How much longer the pods of a stopped release stay than with pods by number, in s. */
  readonly stayingSeconds: number
  /** Prepares the way of the clients to the Deployment's pods. */
  open(settings: ClusterSettings, directory: string): Promise<Clients>
}

/** The way of the clients to the pods. */
export interface Clients {
  /** The address that the load is sent to. */
  readonly url: string
  /** What a release must show besides the checks that all variants share. */
  check(release: ObservedRelease): Promise<readonly Check[]>
  close(): void
}

/** A release after its load. */
export interface ObservedRelease {
  readonly run: ClusterRun
  /** The hash of its pods. */
  readonly canary: string
  readonly promoted: boolean
  /** The load's records. */
  readonly records: string
}

/** Pods by number: clients reach the Service `api`, which selects the pods of both revisions. */
export function byPods({ url }: Platform): Variant {
  return {
    name: 'argo',
    missing: async () => null,
    components: [],
    patches: [],
    stayingSeconds: 0,
    open: async () => ({ url, check: async () => [], close() {} }),
  }
}
