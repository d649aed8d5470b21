import { maxPriority, type Task, type TaskStatus } from './task.ts'

/** A row of the table of tasks, as both databases return it, with its payload. PostgreSQL returns 64-bit integers as text. */
export interface TaskRow {
  id: string
  kind: string
  payload: string
  traceparent: string | null
  status: TaskStatus
  priority: number
  attempts: number
  run_at: number | string
  result: string | null
  error: string | null
  created_at: number | string
  updated_at: number | string
}

/** The columns of a TaskRow, without those that SQLite keeps in a separate table. */
export const taskColumns =
  'id, kind, status, priority, attempts, run_at, result, error, created_at, updated_at'

export function fromRow(row: TaskRow): Task {
  return {
    id: row.id,
    kind: row.kind,
    payload: row.payload,
    traceparent: row.traceparent ?? undefined,
    status: row.status,
    priority: row.priority,
    runAt: Number(row.run_at),
    attempts: row.attempts,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    result: row.result ?? undefined,
    error: row.error ?? undefined,
  }
}

/** The differences between the two databases. */
export interface SqlDialect {
  /** The queue's clock, in ms since the epoch: a parameter on SQLite, the server's clock in PostgreSQL. */
  readonly now: string
  /** Leaves out the rows that another transaction is changing. SQLite has one writer at a time. */
  readonly skipLocked: string
  /**
   * Makes a statement read a table by an index. SQLite would use the index on the status, and read every pending or
   * every completed task. PostgreSQL has statistics to choose by.
   */
  readonly indexedBy: (index: string) => string
}

/** How far two readings of one clock may differ before it counts as set back, in ms. */
export const clockToleranceMs = 1_000
/** The most delayed tasks that one statement makes claimable. */
const maxPromoted = 1_000

/** Clears a claim, after a back-off, a release or an expired lease. */
const unclaimed = 'lease = null, worker = null'

/**
 * The statements that SQLite and PostgreSQL share, with named parameters (`$id`). The table is described in
 * database/migrations.ts. Every write of a run names its lease, so a worker that has lost it changes nothing.
 *
 * Rows are picked in a CTE: PostgreSQL may run a subquery in `where` several times, and lock other rows each time.
 */
export function taskStatements({ now, skipLocked, indexedBy }: SqlDialect) {
  const delayedTasks = `tasks ${indexedBy('tasks_delayed')}`
  const delayedSince = `tasks ${indexedBy('tasks_delayed_since')}`
  return {
    readState: `select status || ' ' || attempts || ' ' || updated_at as state from tasks where id = $id`,
    readStatus: 'select status from tasks where id = $id',

    retry: `
      update tasks set status = 'pending', delayed = 0, attempts = 0, due_at = ${now}, updated_at = ${now}
      where id = $id and status = 'failed'`,
    retryFailed: `
      with picked as materialized (
        select seq from tasks where status = 'failed' order by seq limit $limit ${skipLocked})
      update tasks set status = 'pending', delayed = 0, attempts = 0, due_at = ${now}, updated_at = ${now}
      where seq in (select seq from picked)`,
    // The lease stays, so that its worker learns why it no longer holds.
    cancel: `
      update tasks set status = 'cancelled', worker = null, updated_at = ${now}
      where id = $id and status in ('pending', 'processing')`,

    renew: `update tasks set beat = beat + 1 where lease = $lease and status = 'processing'`,
    complete: `
      update tasks set status = 'completed', result = $result, error = null, updated_at = ${now}, ${unclaimed}
      where lease = $lease and status = 'processing'
      returning id`,
    failPermanently: `
      update tasks set status = 'failed', error = $error, updated_at = ${now}, ${unclaimed}
      where lease = $lease and status = 'processing'
      returning id`,
    retryLater: `
      update tasks set status = 'pending', error = $error, updated_at = ${now}, ${unclaimed},
        delayed = 1, delay_ms = $delayMs, due_at = ${now} + $delayMs
      where lease = $lease and status = 'processing'
      returning id`,
    // This worker cannot run the task: it is retried later without the loss of an attempt.
    postpone: `
      update tasks set status = 'pending', attempts = attempts - 1, error = $error, updated_at = ${now}, ${unclaimed},
        delayed = 1, delay_ms = $delayMs, due_at = ${now} + $delayMs
      where lease = $lease and status = 'processing'
      returning id`,
    release: `
      update tasks set status = 'pending', attempts = attempts - 1, due_at = ${now}, updated_at = ${now}, ${unclaimed}
      where lease = $lease and status = 'processing'
      returning id`,
    findCancelled: `select 1 from tasks where lease = $lease and status = 'cancelled'`,

    readLeases: `select seq, lease, beat from tasks where status = 'processing'`,
    requeue: `
      update tasks set updated_at = ${now}, due_at = ${now}, ${unclaimed},
        status = case when attempts >= $maxAttempts then 'failed' else 'pending' end,
        error = case when attempts >= $maxAttempts then 'the worker died in every attempt' else error end
      where seq = $seq and lease = $lease and beat = $beat and status = 'processing'
      returning id`,
    promoteDue: `
      with picked as materialized (
        select seq from ${delayedTasks} where status = 'pending' and delayed = 1 and due_at <= ${now}
        order by due_at limit ${maxPromoted} ${skipLocked})
      update tasks set delayed = 0 where seq in (select seq from picked)`,
    // The clock went back: these delays began in the future.
    restartDelays: `
      with picked as materialized (
        select seq from ${delayedSince}
        where status = 'pending' and delayed = 1 and due_at - delay_ms > ${now} + ${clockToleranceMs}
        limit ${maxPromoted} ${skipLocked})
      update tasks set due_at = ${now} + delay_ms where seq in (select seq from picked)`,
    readNextDue: `
      select
        (select min(due_at) from ${delayedTasks} where status = 'pending' and delayed = 1) - ${now} as due_ms,
        (select max(due_at - delay_ms) from ${delayedSince} where status = 'pending' and delayed = 1) - ${now} as began_ms`,

    heartbeat: `
      insert into task_workers (id, name, version, concurrency, seen_at)
      values ($id, $name, $version, $concurrency, ${now})
      on conflict (id) do update set seen_at = excluded.seen_at`,
    leave: 'delete from task_workers where id = $id',
    deleteSilentWorkers: `delete from task_workers where abs(seen_at - ${now}) > $silentMs`,
    setPaused: 'update task_queue set paused = $paused',

    deleteEnded: `
      with picked as materialized (
        select seq from tasks where status in ('completed', 'failed', 'cancelled')
          and updated_at < ${now} - $retentionMs
        limit $limit ${skipLocked})
      delete from tasks where seq in (select seq from picked)`,

    ...readStats(now, indexedBy),
  }
}

/** The figures of `TaskQueue.stats`, except the number of tasks in each status. */
function readStats(now: string, indexedBy: SqlDialect['indexedBy']) {
  const delayedTasks = `tasks ${indexedBy('tasks_delayed')}`
  return {
    // Tasks that are due wait, although no worker may be there that makes them claimable. A claimable task has an index
    // on its priority and its due time, so the oldest task is read for each priority.
    readWaiting: `
      with recursive priorities (n) as (select 0 union all select n + 1 from priorities where n < ${maxPriority})
      select
        (select count(*) from ${delayedTasks} where status = 'pending' and delayed = 1 and due_at > ${now}) as delayed,
        ${now} - (select min(due_at) from (
          select (select min(due_at) from tasks ${indexedBy('tasks_ready')}
            where status = 'pending' and delayed = 0 and priority = n) as due_at from priorities
          union all
          select (select min(due_at) from ${delayedTasks}
            where status = 'pending' and delayed = 1 and due_at <= ${now})
        ) as oldest) as oldest_ms,
        (select count(*) from tasks ${indexedBy('tasks_ended')}
          where status in ('completed', 'failed', 'cancelled') and status = 'completed'
            and updated_at > ${now} - 60000) as completed_recently,
        (select paused from task_queue) as paused`,
    readWorkers: `
      select id, name, version, concurrency, seen_at from task_workers where abs(seen_at - ${now}) <= $silentMs`,
    readHeldTasks: `select worker, id from tasks where status = 'processing'`,
  }
}

/** When delayed tasks are due and when their delays began, in ms from now. Null when there is none. */
export interface NextDueRow {
  due_ms: number | string | null
  began_ms: number | string | null
}

export interface WaitingRow {
  delayed: number | string
  oldest_ms: number | string | null
  completed_recently: number | string
  paused: number
}

export interface WorkerRow {
  id: string
  name: string
  version: string
  concurrency: number
  seen_at: number | string
}

export interface HeldTaskRow {
  worker: string | null
  id: string
}

export interface CountRow {
  status: TaskStatus
  n: number | string
}
