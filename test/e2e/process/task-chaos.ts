import { analyzeTaskPayload } from '../../../src/analysis/payload.ts'
import { noDrainWindow, type Service, startService } from '../../support/service.ts'
import type { PlannedTasks } from './planned-tasks.ts'

export interface ChaosOptions {
  /** Number of tasks that must be accepted. */
  readonly tasks: number
  /** Number of concurrent clients. */
  readonly clients: number
  /** How often a process, an API or a worker, is killed with -9 and restarted. */
  readonly kills: number
  /** The environment that every process needs to find the queue. */
  readonly env: Readonly<Record<string, string>>
  /** Stops and restarts the queue's own server; at regular intervals. */
  readonly outages?: { readonly count: number; strike(): Promise<void> }
  /**
   * Adds every third task with a priority and a delay, and cancels every fifth one. Default: all tasks are due
   * immediately, and none is cancelled.
   */
  readonly planned?: PlannedTasks
  /** Number of processes of each kind. Default: 2. */
  readonly processes?: number
}

export interface ChaosReport {
  readonly accepted: number
  readonly completed: number
  readonly failed: number
  /** Runs of all tasks; may exceed the tasks, because a killed worker's run counts. */
  readonly runs: number
  /** Cancelled tasks. */
  readonly cancelled: number
  /** Accepted tasks that ended neither completed nor cancelled. */
  readonly lost: number
  /** Tasks beyond one per requested task. */
  readonly doubled: number
  /** Completed tasks with an incorrect result. */
  readonly wrong: number
  /** Tasks with a confirmed cancellation that ended otherwise, and cancelled tasks without a cancellation request. */
  readonly wronglyEnded: number
  /** Tasks that completed before they were due. */
  readonly early: number
  readonly kills: number
  readonly outages: number
  /** Requests without a response, or with 5xx, that were repeated with the same key. */
  readonly repeated: number
  readonly seconds: number
}

interface TaskBody {
  readonly id: string
  readonly payload: { readonly numbers: readonly number[]; readonly text: string }
  readonly status: string
  readonly attempts: number
  readonly updated_at: string
  readonly result?: { readonly processing_time_ms?: number }
}

/** Timeout for everything to end after the last task was accepted, in ms. */
const endMsMax = 120_000

/**
 * Posts tasks while processes die, and accounts for each. A client repeats a request without a response with the same
 * Idempotency-Key, so each task must exist once, completed, with the correct result.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { tasks, clients, kills, env, outages, planned, processes = 2 } = options
  const startedAt = performance.now()
  const apis = await startAll('src/main.ts', { ...env, WORKER: 'off' }, processes)
  const workers = await startAll('src/worker.ts', env, processes)
  const accepted = new Map<string, number>()
  let wanted = 0
  let repeated = 0

  const addOne = async (n: number): Promise<string> => {
    if (planned !== undefined && n % 3 === 0)
      return await planned.add(`task-${n}`, JSON.stringify(workOf(n)), n)
    for (;;) {
      const id = await post(apis, n)
      if (id !== undefined) return id
      repeated++
      await Bun.sleep(20)
    }
  }
  const client = async (): Promise<void> => {
    while (wanted < tasks) {
      const n = wanted++
      const id = await addOne(n)
      accepted.set(id, n)
      if (n % 5 === 0) planned?.cancelLater(id)
    }
  }
  const killer = async (): Promise<void> => {
    for (let kill = 1; kill <= kills; kill++) {
      await reached(() => accepted.size >= (tasks * kill) / (kills + 1))
      const victims = Math.random() < 0.5 ? apis : workers
      await victims.replaceOne()
    }
  }
  const outage = async (): Promise<void> => {
    for (let strike = 1; strike <= (outages?.count ?? 0); strike++) {
      await reached(() => accepted.size >= (tasks * (strike - 0.5)) / (outages?.count ?? 1))
      await outages?.strike()
    }
  }
  try {
    await Promise.all([...Array.from({ length: clients }, client), killer(), outage()])
    const cancelled: ReadonlySet<string> = (await planned?.cancelled()) ?? new Set()
    const ended = await everyTaskEnded(apis)
    const found = new Map(ended.map((task) => [task.id, task]))
    const completed = ended.filter(({ status }) => status === 'completed')
    return {
      accepted: accepted.size,
      completed: completed.length,
      failed: ended.filter(({ status }) => status === 'failed').length,
      runs: ended.reduce((runs, { attempts }) => runs + attempts, 0),
      cancelled: ended.filter(({ status }) => status === 'cancelled').length,
      lost: [...accepted.keys()].filter((id) => !isAccountedFor(found.get(id))).length,
      doubled: ended.length - new Set(ended.map(({ payload }) => payload.text)).size,
      wrong: completed.filter((task) => !isRight(task)).length,
      wronglyEnded: ended.filter(({ id, status }) => (status === 'cancelled') !== cancelled.has(id)).length,
      early: completed.filter(({ id, updated_at }) => Date.parse(updated_at) < (planned?.runAt(id) ?? 0))
        .length,
      kills,
      outages: outages?.count ?? 0,
      repeated,
      seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    }
  } finally {
    await Promise.all([...apis.all, ...workers.all].map((service) => service.kill()))
  }
}

/** Processes of one program, which are replaced from time to time. */
interface Fleet {
  readonly all: Service[]
  replaceOne(): Promise<void>
}

async function startAll(
  program: 'src/main.ts' | 'src/worker.ts',
  env: Readonly<Record<string, string>>,
  count: number,
): Promise<Fleet> {
  const all = await Promise.all(
    Array.from({ length: count }, () => startService({ program, env: { ...noDrainWindow, ...env } })),
  )
  return {
    all,
    async replaceOne() {
      const index = Math.floor(Math.random() * all.length)
      await all[index]?.kill()
      all[index] = await startService({ program, env: { ...noDrainWindow, ...env } })
    },
  }
}

function workOf(n: number) {
  return { numbers: [n, n / 7, -n], text: `task ${n}.` }
}

/** @returns the id of the accepted task, or undefined if it must be sent again */
async function post({ all }: Fleet, n: number): Promise<string | undefined> {
  const service = all[Math.floor(Math.random() * all.length)] as Service
  try {
    const response = await fetch(`${service.url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `task-${n}` },
      body: JSON.stringify({ payload: workOf(n) }),
      signal: AbortSignal.timeout(10_000),
    })
    if (response.status === 201) return ((await response.json()) as { task_id: string }).task_id
    if (response.status < 500) throw new TypeError(`refused: ${response.status} ${await response.text()}`)
    await response.arrayBuffer()
  } catch (error) {
    if (error instanceof TypeError && error.message.startsWith('refused')) throw error
  }
  return undefined
}

async function everyTaskEnded({ all }: Fleet): Promise<TaskBody[]> {
  const deadline = performance.now() + endMsMax
  for (;;) {
    const tasks = await listAll((all[0] as Service).url).catch(() => undefined)
    const ended = tasks?.every(({ status }) => ['completed', 'failed', 'cancelled'].includes(status))
    if (tasks !== undefined && (ended || performance.now() > deadline)) return tasks
    await Bun.sleep(200)
  }
}

async function listAll(url: string): Promise<TaskBody[]> {
  const tasks: TaskBody[] = []
  let path: string | undefined = '/tasks?limit=1000'
  while (path !== undefined) {
    const response: Response = await fetch(url + path)
    if (response.status !== 200) throw new Error(`the list answered ${response.status}`)
    tasks.push(...((await response.json()) as { tasks: TaskBody[] }).tasks)
    path = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  }
  return tasks
}

function isAccountedFor(task: TaskBody | undefined): boolean {
  return task?.status === 'completed' || task?.status === 'cancelled'
}

function isRight({ payload, result }: TaskBody): boolean {
  const { processing_time_ms, ...analysis } = result ?? {}
  return typeof processing_time_ms === 'number' && Bun.deepEquals(analysis, analyzeTaskPayload(payload))
}

async function reached(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5)
}
