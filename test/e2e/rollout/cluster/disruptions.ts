import { until } from '../../../support/until.ts'
import { type Check, check } from './check.ts'
import { versionsOf } from './endpoints.ts'
import { type Account, keepTasks } from './ledger.ts'
import { deployments, type Platform } from './platform.ts'

/** Marks the beginning of a step: `phase: step`. Requests are counted by phase. */
export type Mark = (label: string) => Promise<void>

/** How long to wait for a broken rollout before undoing it. */
const brokenSeconds = 20
/** How long a load runs before the first disruption, in ms. */
const steadyMs = 3_000
/** Time for the last pod to exit, in ms. */
const tailMs = 15_000

/**
 * Tasks of about 35 kB: a few while workers are rolled, and enough at once to keep all workers busy when they are
 * deleted. Redis keeps them for a day: three modes use about 80 MB of its 192 MB.
 */
const tasksPerSecond = 5
const tasksAtOnce = 600

export interface Disruptions {
  /** The deployed image, and the one that temporarily replaces it. */
  readonly image: string
  readonly nextImage: string
  /** The new value of ENVIRONMENT: a different one each time, otherwise the ConfigMap does not change. */
  readonly environment: string
  readonly mark: Mark
  /** When the load ends, by `performance.now()`. */
  readonly endsAt: number
}

/** Everything that a platform does to a serving Deployment, step by step; then restarts until the load ends. */
export async function disrupt(
  platform: Platform,
  { image, nextImage, environment, mark, endsAt }: Disruptions,
): Promise<Check[]> {
  const { namespace, pods, settled, rolledOut } = platform
  const { kubectl } = namespace
  const checks: Check[] = []
  await Bun.sleep(steadyMs)

  for (const to of [nextImage, image]) {
    const before = await versionsOf(platform.url)
    await mark(`image change: to ${to}`)
    await kubectl('set', 'image', 'deployment/api', `api=${to}`)
    await settled()
    const after = await versionsOf(platform.url)
    checks.push(
      check(
        'after an image change every instance has another version',
        after.size === 1 && before.isDisjointFrom(after),
        `${[...before].join(', ')}, then ${[...after].join(', ')}`,
      ),
    )
  }

  await mark('scale 3 to 6')
  await kubectl('scale', 'deployment/api', '--replicas=6')
  await rolledOut('api')
  await mark('scale 6 to 2')
  await kubectl('scale', 'deployment/api', '--replicas=2')
  await settled()
  await mark('scale 2 to 3')
  await kubectl('scale', 'deployment/api', '--replicas=3')
  await rolledOut('api')

  await mark('pod delete')
  await kubectl('delete', 'pod', pods.live('api')[0]?.name ?? '', '--wait=false')
  await untilReady(platform, 3)
  await settled()

  await mark('eviction of every pod')
  checks.push(await evictAll(platform))
  await settled()

  await mark('workers replaced')
  checks.push(...taskChecks(await replaceWorkers(platform)))

  await mark('config change')
  const before = new Set(pods.live('api').map(({ uid }) => uid))
  await platform.apply({ image, config: { ENVIRONMENT: environment } })
  const kept = pods.live('api').filter(({ uid }) => before.has(uid)).length
  checks.push(check('a changed ConfigMap rolls every pod', kept === 0, `${kept} of 3 pods stayed`))

  await mark('broken image and undo')
  checks.push(await breakAndUndo(platform))
  await settled()

  let lastMs = 0
  do {
    await mark('rollout restart')
    lastMs = await restart(platform)
  } while (endsAt - performance.now() > 1.3 * lastMs + tailMs)
  await settled()
  await mark('afterwards')
  return checks
}

/** Resolves when every pod is new, with the duration in ms. */
async function restart({ namespace, rolledOut }: Platform): Promise<number> {
  const startedAt = performance.now()
  await namespace.kubectl('rollout', 'restart', 'deployment/api')
  await rolledOut('api')
  return performance.now() - startedAt
}

async function untilReady({ pods }: Platform, replicas: number): Promise<void> {
  await until(
    () => {
      const live = pods.live('api')
      return live.length === replicas && live.every(({ ready }) => ready)
    },
    { what: `${replicas} pods to be ready`, timeoutMs: 60_000, intervalMs: 50 },
  )
}

/** Evicts every pod like a node drain: one after the other, repeating an eviction that a PodDisruptionBudget denies. */
async function evictAll({ namespace, pods }: Platform): Promise<Check> {
  const names = deployments.flatMap((each) => pods.live(each).map(({ name }) => name))
  let denied = 0
  for (const name of names) {
    await until(
      async () => {
        const status = await evict(namespace, name)
        if (status === 429) {
          denied++
          await Bun.sleep(1_000)
        }
        return status === 201
      },
      { what: `the eviction of ${name}`, timeoutMs: 90_000, intervalMs: 50 },
    )
  }
  return check('every pod is evicted', true, `${names.length} pods, ${denied} times deferred`)
}

/**
 * Requests the eviction of a pod.
 *
 * @returns 201 if it is granted, 429 if a PodDisruptionBudget denies it now
 */
export async function evict(
  { name: namespace, apiUrl }: Platform['namespace'],
  pod: string,
): Promise<number> {
  const response = await fetch(`${apiUrl}/api/v1/namespaces/${namespace}/pods/${pod}/eviction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } }),
  })
  await response.arrayBuffer()
  return response.status
}

/**
 * Rolls the workers, then deletes all of them at once while more tasks wait than they can run.
 *
 * @returns the outcome of the tasks, how many were unfinished when the workers got SIGTERM, and whether more were still
 *   arriving then
 */
async function replaceWorkers(
  platform: Platform,
): Promise<{ account: Account; inHand: number; coming: boolean }> {
  const { namespace, pods, url, rolledOut, settled } = platform
  const ledger = keepTasks(url, tasksPerSecond, 'medium')
  await until(() => ledger.accepted() > tasksPerSecond, {
    what: 'the first tasks to be accepted',
    timeoutMs: 20_000,
    intervalMs: 50,
  })
  await namespace.kubectl('rollout', 'restart', 'deployment/worker')
  await rolledOut('worker')

  const workers = pods.live('worker').map(({ name }) => name)
  let coming = true
  const burst = ledger.burst(tasksAtOnce).then(() => {
    coming = false
  })
  await until(async () => (await ledger.waiting()) > 0, {
    what: 'a queue',
    timeoutMs: 20_000,
    intervalMs: 50,
  })
  await namespace.kubectl('delete', 'pod', ...workers, '--wait=false')
  const seen = { inHand: await ledger.waiting(), coming }
  await burst
  await settled()
  return { account: await ledger.close(), ...seen }
}

function taskChecks({ account, inHand, coming }: Awaited<ReturnType<typeof replaceWorkers>>): Check[] {
  return [
    check(
      'the workers have tasks in progress when they are stopped',
      inHand > 0 || coming,
      `${inHand} tasks${coming ? ', and more coming' : ''}`,
    ),
    ...accountChecks(account),
  ]
}

/** Each accepted task must complete once, with the correct result. */
export function accountChecks(account: Account): Check[] {
  const { accepted, unanswered, turnedAway, faults, repeated, kept } = account
  return [
    check(
      'every accepted task is completed with the correct result',
      accepted > 0 && faults.length === 0,
      `${kept} of ${accepted}${faults.length > 0 ? `; ${faults[0]}` : ''}`,
    ),
    check('no task is run twice', repeated === 0, `${repeated} of ${accepted}`),
    check(
      'every request for a task gets 201',
      unanswered.length === 0 && turnedAway === 0,
      `${turnedAway} answered 503, ${unanswered.length} otherwise${unanswered[0] ? `: ${unanswered[0]}` : ''}`,
    ),
  ]
}

/** Rolls to an image that does not start, checks that the rollout fails, and undoes it, like a deployment script. */
async function breakAndUndo(platform: Platform): Promise<Check> {
  const { namespace, rolledOut } = platform
  await namespace.kubectl('set', 'image', 'deployment/api', 'api=tally.invalid/broken:none')
  const { exitCode } = await namespace.try([
    ...['rollout', 'status', 'deployment/api', `--timeout=${brokenSeconds}s`],
  ])
  const ready = platform.pods.live('api').filter((pod) => pod.ready).length
  if (exitCode !== 0) await namespace.kubectl('rollout', 'undo', 'deployment/api')
  await rolledOut('api')
  return check(
    'a broken image removes no pod, and is undone',
    exitCode !== 0 && ready === 3,
    `rollout status ${exitCode === 0 ? 'reported no failure' : 'failed'}, ${ready} of 3 pods served meanwhile`,
  )
}
