import { until } from '../../../support/until.ts'
import { type Check, check } from './check.ts'
import type { Mark } from './disruptions.ts'
import { type Account, keepDocuments, keepTasks } from './ledger.ts'
import type { Platform } from './platform.ts'
import { type ClusterRun, runUnderLoad } from './run.ts'
import type { ClusterSettings } from './settings.ts'

/** Requests per second for tasks and for documents, besides the load on `/payload`. */
const keptPerSecond = 20
/** How long a store stays down: long enough for every component to notice, in ms. */
const awayMs = 5_000
const seconds = 60

/**
 * Stops Redis under load, then PostgreSQL: `/payload` must be unaffected, `/tasks` and `/data` must respond 503
 * meanwhile, and everything confirmed with 201 must survive.
 */
export async function loseStores(
  platform: Platform,
  settings: ClusterSettings,
  directory: string,
): Promise<ClusterRun> {
  const load = { name: 'outages', profile: 'rollout', connection: 'mixed', seconds } as const
  return runUnderLoad(
    platform,
    { ...load, rate: settings.rate, users: settings.users },
    directory,
    async (mark) => {
      const tasks = keepTasks(platform.url, keptPerSecond, 'small')
      const documents = keepDocuments(platform.url, keptPerSecond)
      await Bun.sleep(3_000)
      await takeAway(platform, 'redis', mark)
      await until(grows(tasks.accepted), {
        what: 'tasks to be accepted again',
        timeoutMs: 60_000,
        intervalMs: 50,
      })
      await takeAway(platform, 'postgres', mark)
      await until(grows(documents.accepted), {
        what: 'documents to be accepted again',
        timeoutMs: 60_000,
        intervalMs: 50,
      })
      await mark('afterwards')
      await Bun.sleep(3_000)
      const accounts = await Promise.all([tasks.close(), documents.close()])
      return accounts.flatMap(outageChecks)
    },
  )
}

/** Deletes the pod of a store, keeps it down for a while, and waits for its return. */
async function takeAway({ namespace }: Platform, store: string, mark: Mark): Promise<void> {
  await mark(`${store} away: pod deleted`)
  await namespace.kubectl('delete', 'pod', `${store}-0`, '--wait=false')
  // The StatefulSet would replace the pod within a second or two, too soon for an outage.
  await namespace.kubectl('scale', `statefulset/${store}`, '--replicas=0')
  await Bun.sleep(awayMs)
  await namespace.kubectl('scale', `statefulset/${store}`, '--replicas=1')
  await namespace.kubectl('rollout', 'status', `statefulset/${store}`, '--timeout=120s')
  await mark(`${store} back`)
}

/** A condition that is true once a count has grown. */
function grows(count: () => number): () => boolean {
  const before = count()
  return () => count() > before
}

/** Accepted work is stored, and the other requests were rejected in time. */
function outageChecks(account: Account): Check[] {
  const { kind, accepted, kept, faults, turnedAway, unanswered, maxMs } = account
  return [
    check(
      `no accepted ${kind} are lost`,
      accepted > 0 && faults.length === 0,
      `${kept} of ${accepted}${faults[0] ? `; ${faults[0]}` : ''}`,
    ),
    check(
      `while the store of ${kind} is down, every response is 503 with Retry-After`,
      turnedAway > 0 && unanswered.length === 0,
      `${turnedAway} answered 503, ${unanswered.length} otherwise${unanswered[0] ? `: ${unanswered[0]}` : ''}; slowest answer ${maxMs.toFixed(0)} ms`,
    ),
  ]
}
