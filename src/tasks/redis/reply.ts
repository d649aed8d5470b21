import type { Claim, WorkerAnnouncement } from '../lease-consumer.ts'
import type { NewTask, Task, TaskStatus } from '../task.ts'
import type { QueueStats } from '../task-queue.ts'
import { fromBullmqPriority, type taskFields } from './scripts.ts'

/** The kind of tasks that a former version accepted, which knew only one. All its jobs have the same name. */
const formerName = 'task'
const formerKind = 'analysis'

/** The part of a task in the data of its job. BullMQ stores the rest. */
interface JobData {
  readonly payload: string
  readonly traceparent?: string | undefined
}

/** The data of a task's job, as JSON. */
export function toJobData({ payload, traceparent }: NewTask): string {
  return JSON.stringify({ payload, traceparent } satisfies JobData)
}

type Field = (typeof taskFields)[number]
type Fields = { readonly [Name in Field]?: string | null | undefined }

/** A task as the scripts return it: its id, its status, and the values of `taskFields`. */
export type Reply = readonly [id: string, status: TaskStatus, ...fields: (string | null)[]]

export function parseTask([id, status, ...values]: Reply): Task {
  const [
    name,
    data,
    priority,
    timestamp,
    runAt,
    ats,
    processedOn,
    finishedOn,
    changedOn,
    returnvalue,
    failedReason,
  ] = values
  return toTask(id, status, {
    ...{ name, data, priority, timestamp, runAt, ats },
    ...{ processedOn, finishedOn, changedOn, returnvalue, failedReason },
  })
}

export function parseTaskOrUndefined(reply: unknown): Task | undefined {
  return reply === null ? undefined : parseTask(reply as Reply)
}

/** The task of a claimed job. @param hash the names and values of the job's fields, in turn */
export function parseHash(id: string, hash: readonly string[]): Claim {
  const fields: Record<string, string> = {}
  for (let n = 0; n < hash.length; n += 2) fields[hash[n] as string] = hash[n + 1] as string
  const task = toTask(id, 'processing', fields)
  const due = Number(fields.due ?? task.runAt)
  return { task, waitMs: Math.max(0, Number(fields.processedOn) - due) }
}

function toTask(id: string, status: TaskStatus, fields: Fields): Task {
  const { name, data, priority, timestamp, runAt, ats, returnvalue, failedReason } = fields
  const { payload, traceparent } = JSON.parse(data ?? '{"payload":""}') as JobData
  const times = [timestamp, fields.processedOn, fields.finishedOn, fields.changedOn]
  return {
    id,
    kind: name === formerName || !name ? formerKind : name,
    payload,
    traceparent,
    status,
    priority: fromBullmqPriority(Number(priority ?? 0)),
    runAt: Number(runAt ?? timestamp),
    attempts: Number(ats ?? 0),
    createdAt: Number(timestamp),
    updatedAt: Math.max(...times.map((time) => Number(time ?? 0))),
    result: status === 'completed' && returnvalue ? (JSON.parse(returnvalue) as string) : undefined,
    error: status === 'completed' ? undefined : (failedReason ?? undefined),
  }
}

type StatsReply = readonly [
  waiting: number,
  delayed: number,
  processing: number,
  completed: number,
  failed: number,
  cancelled: number,
  oldestWaitingMs: number | null,
  completedLastMinute: number,
  paused: number,
  workers: readonly (readonly [seenAt: number, announcement: string, taskIds: readonly string[]])[],
]

export function parseStats(reply: unknown): QueueStats {
  const [
    waiting,
    delayed,
    processing,
    completed,
    failed,
    cancelled,
    oldest,
    completedLastMinute,
    paused,
    workers,
  ] = reply as StatsReply
  return {
    ...{ waiting, delayed, processing, completed, failed, cancelled, completedLastMinute },
    oldestWaitingMs: oldest ?? undefined,
    paused: paused === 1,
    workers: workers.map(([seenAt, announcement, taskIds]) => ({
      ...(JSON.parse(announcement) as Omit<WorkerAnnouncement, 'id'>),
      taskIds,
      seenAt,
    })),
  }
}
