import type { Database } from 'bun:sqlite'
import type { ObservedLease } from './lease-observer.ts'
import {
  type CountRow,
  type HeldTaskRow,
  type TaskRow,
  taskColumns,
  taskStatements,
  type WaitingRow,
  type WorkerRow,
} from './task-sql.ts'

const columns = `tasks.seq, payload, traceparent, ${taskColumns}`
const withPayload = 'tasks join task_payloads on task_payloads.seq = tasks.seq'
const sql = taskStatements({ now: '$now', skipLocked: '', indexedBy: (index) => `indexed by ${index}` })

/** A lease as it is read to observe it. */
export type LeaseRow = Pick<ObservedLease, 'lease' | 'beat'> & { readonly seq: number }

/** Named parameters of a statement. A statement that reads the clock has `now`. */
type Now = { now: number }
type OfTask = { id: string }
type OfLease = { lease: string }
type Seq = { seq: number }

/**
 * Prepares the statements of the embedded queue once; the database closes them when it closes.
 *
 * Some statements name their index, because SQLite would otherwise take the one on the status and sort all pending
 * tasks, so that a claim would cost the length of the queue.
 */
export function prepareTaskStatements(db: Database) {
  return { ...prepareReads(db), ...prepareWrites(db), ...prepareLeaseWrites(db), ...prepareTimedWrites(db) }
}

function prepareReads(db: Database) {
  return {
    find: db.query<TaskRow, OfTask>(`select ${columns} from ${withPayload} where id = $id`),
    readState: db.query<{ state: string }, OfTask>(sql.readState),
    list: db.query<TaskRow & Seq, [number]>(
      `select ${columns} from ${withPayload} where tasks.seq < ?1 order by tasks.seq desc`,
    ),
    listByStatus: db.query<TaskRow & Seq, [number, string]>(
      `select ${columns} from ${withPayload} where status = ?2 and tasks.seq < ?1 order by tasks.seq desc`,
    ),
    readCounts: db.query<CountRow, []>('select status, n from task_counts'),
    countPending: db.query<{ n: number }, []>("select n from task_counts where status = 'pending'"),
    readWaiting: db.query<WaitingRow, Now>(sql.readWaiting),
    readWorkers: db.query<WorkerRow, Now & { silentMs: number }>(sql.readWorkers),
    readHeldTasks: db.query<HeldTaskRow, []>(sql.readHeldTasks),
    findClaimable: db.query<unknown, []>(
      `select 1 from tasks indexed by tasks_ready
       where status = 'pending' and delayed = 0 and (select paused from task_queue) = 0 limit 1`,
    ),
    findClaimed: db.query<TaskRow & { due_at: number }, OfLease>(
      `select ${columns}, due_at from ${withPayload} where lease = $lease`,
    ),
    findCancelled: db.query<unknown, OfLease>(sql.findCancelled),
    readLeases: db.query<LeaseRow, []>(sql.readLeases),
    readNextDue: db.query<{ due_ms: number | null; began_ms: number | null }, Now>(sql.readNextDue),
    ping: db.query<unknown, []>('select 1 from tasks limit 1'),
  }
}

function prepareWrites(db: Database) {
  return {
    insert: db.query<
      never,
      OfTask &
        Now & { kind: string; priority: number; runAt: number; delayed: number; delayMs: number | null }
    >(
      `insert into tasks (id, kind, status, priority, attempts, due_at, run_at, delayed, delay_ms, created_at, updated_at)
       values ($id, $kind, 'pending', $priority, 0, $runAt, $runAt, $delayed, $delayMs, $now, $now)`,
    ),
    insertPayload: db.query<never, [number | bigint, string, string | null]>(
      'insert into task_payloads (seq, payload, traceparent) values (?1, ?2, ?3)',
    ),
    retry: db.query<never, OfTask & Now>(sql.retry),
    retryFailed: db.query<never, Now & { limit: number }>(sql.retryFailed),
    cancel: db.query<never, OfTask & Now>(sql.cancel),
    setPaused: db.query<never, { paused: number }>(sql.setPaused),
    claim: db.query<never, OfLease & Now & { workerId: string }>(
      `update tasks set status = 'processing', attempts = attempts + 1, lease = $lease, worker = $workerId, beat = 0,
         updated_at = $now
       where seq = (
         select seq from tasks indexed by tasks_ready
         where status = 'pending' and delayed = 0 and (select paused from task_queue) = 0
         order by priority desc, due_at, seq limit 1)`,
    ),
  }
}

/** Each of these writes names its lease. */
function prepareLeaseWrites(db: Database) {
  return {
    renew: db.query<never, OfLease>(sql.renew),
    complete: db.query<OfTask, OfLease & Now & { result: string }>(sql.complete),
    failPermanently: db.query<OfTask, OfLease & Now & { error: string }>(sql.failPermanently),
    retryLater: db.query<OfTask, OfLease & Now & { error: string; delayMs: number }>(sql.retryLater),
    postpone: db.query<OfTask, OfLease & Now & { error: string; delayMs: number }>(sql.postpone),
    release: db.query<OfTask, OfLease & Now>(sql.release),
    requeue: db.query<OfTask, LeaseRow & Now & { maxAttempts: number }>(sql.requeue),
  }
}

function prepareTimedWrites(db: Database) {
  return {
    promoteDue: db.query<never, Now>(sql.promoteDue),
    restartDelays: db.query<never, Now>(sql.restartDelays),
    heartbeat: db.query<never, Now & { id: string; name: string; version: string; concurrency: number }>(
      sql.heartbeat,
    ),
    leave: db.query<never, OfTask>(sql.leave),
    deleteSilentWorkers: db.query<never, Now & { silentMs: number }>(sql.deleteSilentWorkers),
    deleteEnded: db.query<never, Now & { retentionMs: number; limit: number }>(sql.deleteEnded),
  }
}
