import type { Database } from 'bun:sqlite'
import type { SQL, TransactionSQL } from 'bun'
import { DatabaseIncompatible, SchemaTooNew } from './errors.ts'

/**
 * One step of the schema. A text is a step that expands: the previous version of the service keeps working with the
 * result, in a rolling update and after a rollback. A step that removes something names the versions that can work without it.
 */
export type Migration =
  | string
  | {
      readonly sql: string
      /** The oldest version of the schema whose code works with the result: code that knows fewer steps is refused. */
      readonly requires: number
    }

/**
 * Migrations only go forward: a released step is never edited; a new step is added at the end. The position of a step
 * in the list, from 1, is the version of the schema. How to change a schema without breaking the version before:
 * docs/operations.md, "Migrations".
 *
 * Documents and idempotency results are TEXT, not a JSON type: jsonb refuses `\u0000`, reorders keys and rewrites
 * numbers, and a document must come back exactly as it was sent. `seq` is the order of creation and the key of paging.
 * `autoincrement` and `identity` never reuse a number, so a cursor stays valid when its row is deleted.
 */
export const sqliteMigrations: readonly Migration[] = [
  `create table documents (
     seq integer primary key autoincrement,
     id text not null unique,
     body text not null,
     version text not null,
     created_at integer not null,
     updated_at integer not null
   ) strict;
   create table idempotency_keys (
     scope text not null,
     key text not null,
     fingerprint text not null,
     result text not null,
     expires_at integer not null,
     primary key (scope, key)
   ) strict;
   create index idempotency_keys_by_expiry on idempotency_keys (expires_at);`,
  // The embedded queue, in its first form.
  // The payload has its own table, because SQLite rewrites whole rows: renewing a lease must not rewrite the payload.
  // Triggers maintain the counts, because counting at every new task would cost the length of the queue.
  `create table tasks (
     seq integer primary key autoincrement,
     id text not null unique,
     status text not null,
     attempts integer not null,
     due_at integer not null,
     lease text,
     result text,
     error text,
     created_at integer not null,
     updated_at integer not null
   ) strict;
   create table task_payloads (seq integer primary key, payload text not null) strict;
   create index tasks_due on tasks (due_at, seq) where status in ('pending', 'processing');
   create index tasks_by_status on tasks (status, seq);
   create index tasks_by_lease on tasks (lease) where lease is not null;
   create index tasks_ended on tasks (updated_at) where status in ('completed', 'failed');
   create table task_counts (status text primary key, n integer not null) strict;
   insert into task_counts values ('pending', 0), ('processing', 0), ('completed', 0), ('failed', 0);
   create trigger task_inserted after insert on tasks begin
     update task_counts set n = n + 1 where status = new.status;
   end;
   create trigger task_moved after update of status on tasks when old.status <> new.status begin
     update task_counts set n = n - 1 where status = old.status;
     update task_counts set n = n + 1 where status = new.status;
   end;
   create trigger task_deleted after delete on tasks begin
     update task_counts set n = n - 1 where status = old.status;
     delete from task_payloads where seq = old.seq;
   end;`,
  // The trace context in which a task was accepted.
  `alter table task_payloads add column traceparent text;`,
  // Kinds, priorities, delays, cancelled tasks, and workers.
  //
  // A pending task can be claimed, or it is delayed until `due_at`. So a task that is due at once does not depend on the
  // clock. For a task that can be claimed, `due_at` is since when. `delay_ms` is how long the delay was when it began: a
  // longer rest shows that the clock went back. It is null when the client chose the time.
  //
  // A lease has no time either: its worker counts `beat` up, and when that stops the worker has died.
  `drop index tasks_due;
   drop index tasks_ended;
   alter table tasks add column kind text not null default 'analysis';
   alter table tasks add column priority integer not null default 5;
   alter table tasks add column run_at integer not null default 0;
   alter table tasks add column delayed integer not null default 0;
   alter table tasks add column delay_ms integer;
   alter table tasks add column beat integer not null default 0;
   alter table tasks add column worker text;
   update tasks set run_at = created_at;
   update tasks set delayed = 1, delay_ms = max(0, due_at - updated_at) where status = 'pending';
   create index tasks_ready on tasks (priority desc, due_at, seq) where status = 'pending' and delayed = 0;
   create index tasks_delayed on tasks (due_at) where status = 'pending' and delayed = 1;
   create index tasks_delayed_since on tasks (due_at - delay_ms) where status = 'pending' and delayed = 1;
   create index tasks_ended on tasks (status, updated_at) where status in ('completed', 'failed', 'cancelled');
   insert into task_counts values ('cancelled', 0);
   create table task_workers (
     id text primary key,
     name text not null,
     version text not null,
     concurrency integer not null,
     seen_at integer not null
   ) strict;
   create table task_queue (paused integer not null) strict;
   insert into task_queue values (0);`,
  // Processes of an earlier version may still have the file open, as during a rolling restart. They claim nothing, because
  // their index is gone. But they add tasks, and finish their running ones: they know neither `run_at` nor `delayed`, and
  // renew a lease by moving `due_at`, which no process of this version does to a running task.
  `create trigger former_task_added after insert on tasks when new.run_at = 0 begin
     update tasks set run_at = new.created_at where seq = new.seq;
   end;
   create trigger former_lease_renewed after update of due_at on tasks
   when old.status = 'processing' and new.status = 'processing' begin
     update tasks set beat = beat + 1 where seq = new.seq;
   end;
   create trigger former_task_delayed after update of due_at on tasks
   when old.status = 'processing' and new.status = 'pending' and new.delayed = 0 and new.due_at > new.updated_at begin
     update tasks set delayed = 1, delay_ms = new.due_at - new.updated_at where seq = new.seq;
   end;`,
]

/**
 * The same tables on PostgreSQL. Ids and keys compare by bytes (`collate "C"`), which is exact and cheaper to index.
 */
export const postgresMigrations: readonly Migration[] = [
  `create table documents (
     seq bigint generated always as identity primary key,
     id text collate "C" not null unique,
     body text not null,
     version text not null,
     created_at bigint not null,
     updated_at bigint not null
   );
   create table idempotency_keys (
     scope text collate "C" not null,
     key text collate "C" not null,
     fingerprint text not null,
     result text not null,
     expires_at bigint not null,
     primary key (scope, key)
   );
   create index idempotency_keys_by_expiry on idempotency_keys (expires_at);`,
  // The queue: the tables of SQLite's, with the payload beside the rest, because a large one is in TOAST. The table
  // changes quickly, so it is vacuumed early: claims would otherwise read their way through the index entries of tasks
  // that have been claimed.
  `create table tasks (
     seq bigint generated always as identity primary key,
     id text collate "C" not null unique,
     kind text not null,
     payload text not null,
     traceparent text,
     status text collate "C" not null,
     priority integer not null,
     attempts integer not null,
     run_at bigint not null,
     due_at bigint not null,
     delayed integer not null,
     delay_ms bigint,
     lease text collate "C",
     beat integer not null default 0,
     worker text collate "C",
     result text,
     error text,
     created_at bigint not null,
     updated_at bigint not null
   ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
   create index tasks_ready on tasks (priority desc, due_at, seq) where status = 'pending' and delayed = 0;
   create index tasks_delayed on tasks (due_at) where status = 'pending' and delayed = 1;
   create index tasks_delayed_since on tasks ((due_at - delay_ms)) where status = 'pending' and delayed = 1;
   create index tasks_by_status on tasks (status, seq);
   create index tasks_by_lease on tasks (lease) where lease is not null;
   create index tasks_ended on tasks (status, updated_at) where status in ('completed', 'failed', 'cancelled');
   create table task_workers (
     id text collate "C" primary key,
     name text not null,
     version text not null,
     concurrency integer not null,
     seen_at bigint not null
   );
   create table task_queue (paused integer not null);
   insert into task_queue values (0);`,
  // Earlier versions kept tasks in BullMQ's tables, in the schema `bullmq`. Their tasks move. A running one is pending
  // again, with its attempt refunded, because its worker can no longer record its result.
  //
  // Processes of an earlier version may still run. Every operation on their tasks then fails with cannot_connect_now,
  // which they report as an unavailable queue. They keep serving documents, and accept no task that would never run.
  `do $migration$
   declare
     adding record;
   begin
     if to_regclass('bullmq.job') is null then
       return;
     end if;
     lock table bullmq.job in access exclusive mode;
     if exists (select from bullmq.job where queue <> 'tally' or data ->> 'payload' is null) then
       raise exception 'the schema bullmq has jobs that are not of this service. Remove them, then start again: %',
         'delete from bullmq.job where queue <> ''tally'' or data ->> ''payload'' is null';
     end if;
     insert into tasks (id, kind, payload, traceparent, status, priority, attempts, run_at, due_at, delayed, delay_ms,
       result, error, created_at, updated_at)
     select id, 'analysis', data ->> 'payload', data ->> 'traceparent',
       case when state::text in ('completed', 'failed') then state::text else 'pending' end,
       5,
       case when state::text = 'active' then greatest(0, attempts_started - 1) else attempts_started end,
       added_at_ms,
       coalesce(process_at_ms, added_at_ms),
       (state::text = 'delayed')::int,
       case when state::text = 'delayed' then delay_ms end,
       case when state::text = 'completed' then return_value #>> '{}' end,
       case when state::text <> 'completed' then failed_reason end,
       added_at_ms,
       greatest(added_at_ms, processed_at_ms, finished_at_ms, progress::bigint)
     from bullmq.job order by seq;
     truncate bullmq.job cascade;
     alter table bullmq.job rename to job_moved;
     create function bullmq.job_has_moved() returns setof bullmq.job_moved language plpgsql as $moved$
       begin
         raise exception 'the tasks have moved to the table tasks' using errcode = 'cannot_connect_now';
       end $moved$;
     create view bullmq.job as select * from bullmq.job_has_moved();
     create function bullmq.refuse_change() returns trigger language plpgsql as $moved$
       begin
         perform bullmq.job_has_moved();
       end $moved$;
     create trigger refuse_change instead of insert or update or delete on bullmq.job
       for each row execute function bullmq.refuse_change();
     for adding in
       select pg_get_function_arguments(oid) as arguments, pg_get_function_result(oid) as result
       from pg_proc where pronamespace = 'bullmq'::regnamespace and proname = 'add_job'
     loop
       execute format('create or replace function bullmq.add_job(%s) returns %s language plpgsql
         as $moved$ begin perform bullmq.job_has_moved(); end $moved$', adding.arguments, adding.result);
     end loop;
   end $migration$;`,
]

/** The advisory lock of a migration in PostgreSQL: the ASCII codes of `tally`. */
export const migrationLock = 0x74_61_6c_6c_79

/** The time limit of a migration. It is longer than that of a call, because a migration may rewrite a large table. */
export const migrationTimeoutMs = 300_000

/** The version of a schema, and the oldest version whose code works with it. */
export interface SchemaVersion {
  readonly version: number
  readonly requires: number
}

const sqlOf = (step: Migration): string => (typeof step === 'string' ? step : step.sql)
const requiredBy = (step: Migration): number => (typeof step === 'string' ? 0 : step.requires)

/** @throws SchemaTooNew when code that knows `known` steps cannot work with the schema */
function assertCompatible({ version, requires }: SchemaVersion, known: number): void {
  if (requires > known) throw new SchemaTooNew(version, known, requires)
}

/** SQLite has one number for both: `user_version` is the version, plus this times what it requires. */
const requiresFactor = 10_000

/** The version of an SQLite schema; 0 is an empty file. */
export function readSqliteVersion(db: Database): SchemaVersion {
  const found = db.query<{ user_version: number }, []>('pragma user_version').get()?.user_version ?? 0
  return { version: found % requiresFactor, requires: Math.floor(found / requiresFactor) }
}

/**
 * Migrates an SQLite file to the newest schema. BEGIN IMMEDIATE takes the write lock before the version is read, so one
 * of several processes migrates and the others find nothing to do. The version is SQLite's own `user_version`, which
 * commits and rolls back with the transaction. A newer schema that these steps can work with is left as it is.
 *
 * @throws SchemaTooNew when the file has a step that requires newer code
 * @throws SQLiteError SQLITE_BUSY while another process holds the lock: call it again
 */
export function migrateSqlite(db: Database, migrations: readonly Migration[] = sqliteMigrations): void {
  db.transaction(() => {
    const found = readSqliteVersion(db)
    assertCompatible(found, migrations.length)
    const missing = migrations.slice(found.version)
    if (missing.length === 0) return
    for (const step of missing) db.run(sqlOf(step))
    const requires = Math.max(found.requires, ...missing.map(requiredBy))
    db.run(`pragma user_version = ${requires * requiresFactor + migrations.length}`)
  }).immediate()
}

/**
 * Whether a PostgreSQL database has the newest schema, or a newer one that these steps can work with. Only reads.
 *
 * @throws SchemaTooNew when the database has a step that requires newer code
 * @throws DatabaseIncompatible when its encoding is not UTF8: other encodings cannot store every document
 */
export async function postgresIsUpToDate(
  sql: SQL | TransactionSQL,
  migrations: readonly Migration[],
): Promise<boolean> {
  // By way of pg_class: within a transaction, only reading a table lets a session notice what others have created.
  const [server] = await sql<{ encoding: string; table: string | null }[]>`
    select current_setting('server_encoding') as encoding,
      (select relname::text from pg_class where oid = to_regclass('tally_migrations')) as table`
  if (server?.encoding !== 'UTF8') {
    throw new DatabaseIncompatible(`the database's encoding must be UTF8, not ${server?.encoding}`)
  }
  if (server.table === null) return false
  const found = await readPostgresVersion(sql)
  assertCompatible(found, migrations.length)
  return found.version >= migrations.length
}

/**
 * Migrates a PostgreSQL database to the newest schema, in one transaction under an advisory lock: one of several
 * instances migrates, and the others wait and find nothing to do.
 *
 * @throws SchemaTooNew when the database has a step that requires newer code
 */
export async function migratePostgres(sql: SQL, migrations: readonly Migration[]): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction.unsafe(`set local statement_timeout = ${migrationTimeoutMs}`)
    await transaction`select pg_advisory_xact_lock(${migrationLock})`
    // Another process may have migrated meanwhile. A user who may not create tables then has nothing to do: even
    // `if not exists` needs that right.
    if (await postgresIsUpToDate(transaction, migrations)) return
    await transaction`create table if not exists tally_migrations (
      version integer primary key,
      applied_at timestamptz not null default now()
    )`
    // Earlier versions made the table without it, and add their rows without it.
    await transaction`alter table tally_migrations add column if not exists requires integer not null default 0`
    const found = await readPostgresVersion(transaction)
    assertCompatible(found, migrations.length)
    for (const [index, step] of migrations.entries()) {
      if (index < found.version) continue
      await transaction.unsafe(sqlOf(step))
      await transaction`
        insert into tally_migrations (version, requires) values (${index + 1}, ${requiredBy(step)})`
    }
  })
}

/** The version of a PostgreSQL schema whose table `tally_migrations` exists. */
export async function readPostgresVersion(sql: SQL | TransactionSQL): Promise<SchemaVersion> {
  // By way of JSON, because a table that an earlier version made has no such column.
  const [row] = await sql<SchemaVersion[]>`
    select coalesce(max(version), 0)::int as version,
      coalesce(max((to_jsonb(step) ->> 'requires')::int), 0)::int as requires
    from tally_migrations step`
  return row ?? { version: 0, requires: 0 }
}
