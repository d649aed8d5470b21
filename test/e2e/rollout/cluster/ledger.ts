import { problemOf } from '../../../../load/answer.ts'
import { makeCases, type PayloadCase, type Size } from '../../../../load/payloads.ts'

/** The outcome of a ledger's tasks or documents. */
export interface Account {
  readonly kind: 'tasks' | 'documents'
  /** Answered 201. */
  readonly accepted: number
  /** 503 with Retry-After: the service accepted nothing. */
  readonly turnedAway: number
  /** No response, or another one: the client does not know the outcome. */
  readonly unanswered: readonly string[]
  /** The longest wait for a response. */
  readonly maxMs: number
  /**
   * Accepted and stored exactly once at the end: a completed task with the correct result, or an unchanged document.
   */
  readonly kept: number
  /** Accepted, but missing, wrong or failed; each as a sentence. */
  readonly faults: readonly string[]
  /** Tasks that ran more than once. */
  readonly repeated: number
}

/** A client that creates tasks or documents at a steady rate and records the confirmations. */
export interface Ledger {
  /** Number of rejected requests so far. */
  turnedAway(): number
  /** Number of accepted requests so far. */
  accepted(): number
  /** Sends `count` requests at once, in addition to the rate. */
  burst(count: number): Promise<void>
  /** Number of waiting and running tasks, at most a thousand. */
  waiting(): Promise<number>
  /** Stops sending and reads back everything that was accepted. */
  close(): Promise<Account>
}

/** Timeout of a request: longer than any response takes, short enough not to delay the test. */
const requestMsMax = 10_000
/** Maximum concurrent requests of a burst. */
const burstClients = 16
/** Timeout for accepted tasks to complete, from the last acceptance and the end of the outage. */
const completionMsMax = 60_000

/** Seed of the tasks' payloads. */
export const taskSeed = 7

/** Creates tasks at a rate until it is closed. */
export function keepTasks(url: string, perSecond: number, size: Size): Ledger {
  const cases = makeCases(taskSeed, size)
  return keep({
    kind: 'tasks',
    url: `${url}/tasks`,
    perSecond,
    make: (n) => {
      const payload = cases[n % cases.length] as PayloadCase
      return { body: `{"payload":${payload.body}}`, expected: payload }
    },
    async waiting() {
      const counts = await Promise.all(
        ['pending', 'processing'].map(async (status) => {
          const response = await get(`${url}/tasks?limit=1000&status=${status}`)
          return ((await response.json()) as { tasks: unknown[] }).tasks.length
        }),
      )
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async examine(location, { expected }) {
      const deadline = performance.now() + completionMsMax
      for (;;) {
        const response = await get(location)
        if (response.status !== 200) return { fault: `status ${response.status}` }
        const { task } = (await response.json()) as {
          task: { status: string; attempts: number; result?: unknown; error?: string }
        }
        if (task.status === 'completed') {
          const problem = problemOf(JSON.stringify(task.result), expected)
          return { ...(problem !== null && { fault: problem }), repeated: task.attempts > 1 }
        }
        if (task.status === 'failed') return { fault: `failed: ${task.error}` }
        if (performance.now() > deadline) return { fault: `still ${task.status}` }
        await Bun.sleep(200)
      }
    },
  })
}

/** Creates documents at a rate until it is closed. */
export function keepDocuments(url: string, perSecond: number): Ledger {
  return keep({
    kind: 'documents',
    url: `${url}/data`,
    perSecond,
    make: (n) => ({ body: JSON.stringify({ name: `document ${n}`, value: n }), expected: n }),
    waiting: async () => 0,
    async examine(location, expected) {
      const response = await get(location)
      if (response.status !== 200) return { fault: `status ${response.status}` }
      const document = (await response.json()) as { name?: string; value?: number }
      const right = document.value === expected && document.name === `document ${expected}`
      return right ? {} : { fault: 'not as it was sent' }
    },
  })
}

interface Keeping<T> {
  readonly kind: Account['kind']
  readonly url: string
  readonly perSecond: number
  make(n: number): { body: string; expected: T }
  waiting(): Promise<number>
  examine(location: string, expected: T): Promise<{ fault?: string; repeated?: boolean }>
}

function keep<T>({ kind, url, perSecond, make, waiting, examine }: Keeping<T>): Ledger {
  const promised: { location: string; expected: T }[] = []
  const unanswered: string[] = []
  let turnedAway = 0
  let maxMs = 0
  let sent = 0
  const pending = new Set<Promise<void>>()

  const send = async (n: number): Promise<void> => {
    const { body, expected } = make(n)
    const startedAt = performance.now()
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        // One connection per request, because this does not test how a pool handles a closed one.
        headers: { 'content-type': 'application/json', connection: 'close' },
        signal: AbortSignal.timeout(requestMsMax),
      })
      await response.arrayBuffer()
      const location = response.headers.get('location')
      if (response.status === 201 && location !== null) {
        promised.push({ location: new URL(location, url).href, expected })
      } else if (response.status === 503 && response.headers.has('retry-after')) turnedAway++
      else unanswered.push(`status ${response.status}`)
    } catch (error) {
      unanswered.push(error instanceof Error ? error.message : String(error))
    }
    maxMs = Math.max(maxMs, performance.now() - startedAt)
  }
  const timer = setInterval(() => {
    const one: Promise<void> = send(sent++).finally(() => pending.delete(one))
    pending.add(one)
  }, 1_000 / perSecond)

  return {
    turnedAway: () => turnedAway,
    accepted: () => promised.length,
    async burst(count) {
      let left = count
      const client = async (): Promise<void> => {
        while (left-- > 0) await send(sent++)
      }
      await Promise.all(Array.from({ length: burstClients }, client))
    },
    waiting,
    async close() {
      clearInterval(timer)
      await Promise.all(pending)
      const faults: string[] = []
      let repeated = 0
      // A few at a time, so that reading back does not become a load.
      const queue = promised.values()
      const examiner = async (): Promise<void> => {
        for (const { location, expected } of queue) {
          const seen = await examine(location, expected)
          if (seen.fault !== undefined) faults.push(`${location}: ${seen.fault}`)
          if (seen.repeated === true) repeated++
        }
      }
      await Promise.all(Array.from({ length: 8 }, examiner))
      const locations = new Set(promised.map(({ location }) => location))
      if (locations.size !== promised.length) faults.push('two have the same id')
      return {
        kind,
        accepted: promised.length,
        turnedAway,
        unanswered,
        maxMs,
        kept: promised.length - faults.length,
        faults,
        repeated,
      }
    },
  }
}

async function get(url: string): Promise<Response> {
  return fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(requestMsMax) })
}
