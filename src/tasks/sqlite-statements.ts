import type { Database } from 'bun:sqlite'
import type { Task, TaskStatus } from './task.ts'

export interface TaskRow {
  seq: number
  id: string
  payload: string
  traceparent: string | null
  status: TaskStatus
  attempts: number
  result: string | null
  error: string | null
  created_at: number
  updated_at: number
}

const columns = 'tasks.seq, id, payload, traceparent, status, attempts, result, error, created_at, updated_at'
const withPayload = 'tasks join task_payloads on task_payloads.seq = tasks.seq'

/**
 * Prepares the statements of the embedded queue once; the database closes them when it closes.
 *
 * Some statements name their index, because SQLite would otherwise take the one on the status and sort all pending
 * tasks, so that a claim would cost the length of the queue.
 */
export function prepareTaskStatements(db: Database) {
  return { ...prepareReads(db), ...prepareWrites(db), ...prepareLeaseWrites(db) }
}

function prepareReads(db: Database) {
  return {
    find: db.query<TaskRow, [string]>(`select ${columns} from ${withPayload} where id = ?1`),
    readState: db.query<{ state: string }, [string]>(
      `select status || ' ' || attempts || ' ' || updated_at as state from tasks where id = ?1`,
    ),
    list: db.query<TaskRow, [number]>(
      `select ${columns} from ${withPayload} where tasks.seq < ?1 order by tasks.seq desc`,
    ),
    listByStatus: db.query<TaskRow, [number, string]>(
      `select ${columns} from ${withPayload} where status = ?2 and tasks.seq < ?1 order by tasks.seq desc`,
    ),
    countPending: db.query<{ n: number }, []>("select n from task_counts where status = 'pending'"),
    findDue: db.query<unknown, [number]>(
      `select 1 from tasks indexed by tasks_due
       where status in ('pending', 'processing') and due_at <= ?1 limit 1`,
    ),
    findClaimed: db.query<TaskRow, [string]>(`select ${columns} from ${withPayload} where lease = ?1`),
    findAttempts: db.query<{ attempts: number }, [string]>(
      "select attempts from tasks where lease = ?1 and status = 'processing'",
    ),
    ping: db.query<unknown, []>('select 1 from tasks limit 1'),
  }
}

function prepareWrites(db: Database) {
  return {
    insert: db.query<never, [string, number]>(
      `insert into tasks (id, status, attempts, due_at, created_at, updated_at)
       values (?1, 'pending', 0, ?2, ?2, ?2)`,
    ),
    insertPayload: db.query<never, [number | bigint, string, string | null]>(
      'insert into task_payloads (seq, payload, traceparent) values (?1, ?2, ?3)',
    ),
    retry: db.query<never, [string, number]>(
      `update tasks set status = 'pending', attempts = 0, due_at = ?2, updated_at = ?2
       where id = ?1 and status = 'failed'`,
    ),
    claim: db.query<never, [string, number, number]>(
      `update tasks set status = 'processing', attempts = attempts + 1, lease = ?1, due_at = ?3, updated_at = ?2
       where seq = (
         select seq from tasks indexed by tasks_due where status in ('pending', 'processing') and due_at <= ?2
         order by due_at, seq limit 1)`,
    ),
    failExhausted: db.query<never, [number, number]>(
      `update tasks set status = 'failed', lease = null, updated_at = ?1,
         error = 'the worker died in every attempt'
       where status = 'processing' and due_at <= ?1 and attempts >= ?2`,
    ),
    deleteEnded: db.query<never, [number, number]>(
      `delete from tasks where seq in (
         select seq from tasks indexed by tasks_ended
         where status in ('completed', 'failed') and updated_at < ?1 limit ?2)`,
    ),
  }
}

/** Each of these writes names its lease, so a worker that has lost the lease changes nothing. */
function prepareLeaseWrites(db: Database) {
  return {
    renew: db.query<never, [string, number]>(
      `update tasks set due_at = ?2 where lease = ?1 and status = 'processing'`,
    ),
    complete: db.query<never, [string, string, number]>(
      `update tasks set status = 'completed', result = ?2, error = null, lease = null, updated_at = ?3
       where lease = ?1 and status = 'processing'`,
    ),
    failPermanently: db.query<never, [string, string, number]>(
      `update tasks set status = 'failed', error = ?2, lease = null, updated_at = ?3
       where lease = ?1 and status = 'processing'`,
    ),
    retryLater: db.query<never, [string, string, number, number]>(
      `update tasks set status = 'pending', error = ?2, lease = null, updated_at = ?3, due_at = ?4
       where lease = ?1 and status = 'processing'`,
    ),
    release: db.query<never, [string, number]>(
      `update tasks set status = 'pending', attempts = attempts - 1, lease = null, updated_at = ?2, due_at = ?2
       where lease = ?1 and status = 'processing'`,
    ),
  }
}

export function fromRow(row: TaskRow): Task {
  return {
    id: row.id,
    payload: row.payload,
    traceparent: row.traceparent ?? undefined,
    status: row.status,
    attempts: row.attempts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
  }
}
