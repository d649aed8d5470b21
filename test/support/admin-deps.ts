import type { AdminDeps } from '../../src/http/routes/admin.ts'
import { absentQueue } from './app-deps.ts'
import { liveSettings } from './live.ts'

/** The dependencies of admin routes with faults and without a token. Their queue is away. */
export function adminDeps(changes: Partial<AdminDeps> = {}): AdminDeps {
  return {
    settings: liveSettings(),
    queue: absentQueue,
    canInjectFaults: true,
    takeHeapSnapshot: async () => undefined,
    ...changes,
  }
}
