import type { SQL, TransactionSQL } from 'bun'
import type { TaskPageRequest } from '../task-queue.ts'
import { taskColumns, taskStatements } from '../task-sql.ts'

/** The server's clock, in ms since the epoch. */
const now = '(floor(extract(epoch from clock_timestamp()) * 1000)::bigint)'
const shared = taskStatements({ now, skipLocked: 'for update skip locked', indexedBy: () => '' })
const columns = `tasks.seq, payload, traceparent, ${taskColumns}`

/** A statement with its parameters in the order of their numbers. */
interface Statement {
  readonly text: string
  readonly names: readonly string[]
}

/** Numbers the named parameters of a statement. */
function numberParameters(text: string): Statement {
  const names: string[] = []
  const numbered = text.replace(/\$([a-zA-Z]+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 1}`
  })
  return { text: numbered, names }
}

/** The due time of a new task: never in the past, because the order of arrival decides then. */
const runAt = 'greatest(clock.now, coalesce(added.run_at, clock.now + coalesce(added.delay_ms, 0)))'

/**
 * Commits this transaction without a wait for the disk. A crash of the server may undo it: the task is pending again, or
 * the others find it by their next poll.
 */
const commitUnflushed = `set_config('synchronous_commit', 'off', true)`

/** The tasks that can be claimed, in the order of their claims. */
const readyTasks = `
  ready as materialized (
    select seq from tasks
    where status = 'pending' and delayed = 0 and (select paused from task_queue) = 0
    order by priority desc, due_at, seq limit $count for update skip locked
  ), numbered as (select seq, row_number() over () as n from ready)`
const claimReady = (from: string) => `
  update tasks set status = 'processing', attempts = attempts + 1, lease = ($leases::text[])[n],
    worker = ($workerIds::text[])[n], beat = 0, updated_at = ${now}
  from ${from} where tasks.seq = numbered.seq
  returning ${columns}, lease, greatest(0, ${now} - due_at) as wait_ms`
const completeClaimed = `
  update tasks set status = 'completed', result = done.result, error = null, updated_at = ${now}, lease = null,
    worker = null
  from unnest($completedLeases::text[], $results::text[]) as done (lease, result)
  where tasks.lease = done.lease and tasks.status = 'processing'
  returning tasks.id as completed_id, done.lease as completed_lease`

const texts = {
  ...shared,
  find: `select ${columns} from tasks where id = $id`,
  retry: `${shared.retry} returning ${columns}`,
  cancel: `${shared.cancel} returning ${columns}`,
  findCancelled: `select lease from tasks where lease = any($leases::text[]) and status = 'cancelled'`,
  countPending: `select count(*) as n from tasks where status = 'pending'`,
  countActive: `
    select status, count(*) as n from tasks where status in ('pending', 'processing') group by status`,
  countEnded: `
    select status, count(*) as n from tasks where status in ('completed', 'failed', 'cancelled') group by status`,

  // A conflict is the first attempt of this statement, whose confirmation was lost.
  insert: `
    with clock as materialized (select ${now} as now)
    insert into tasks (id, kind, payload, traceparent, status, priority, attempts, run_at, due_at, delayed, delay_ms,
      created_at, updated_at)
    select added.id, added.kind, added.payload, added.traceparent, 'pending', added.priority, 0, ${runAt}, ${runAt},
      (${runAt} > clock.now)::int, added.delay_ms, clock.now, clock.now
    from unnest($ids::text[], $kinds::text[], $payloads::text[], $traceparents::text[], $priorities::int[],
      $runAts::bigint[], $delays::bigint[]) with ordinality
      as added (id, kind, payload, traceparent, priority, run_at, delay_ms, n), clock
    order by added.n
    on conflict (id) do nothing
    returning id, created_at, run_at`,
  findTimes: 'select id, created_at, run_at from tasks where id = any($ids::text[])',

  claim: `with ${readyTasks} ${claimReady(`numbered, (select ${commitUnflushed}) as unflushed`)}`,
  complete: `${completeClaimed}`,
  // Both touch different tasks: a completed one was not pending.
  completeAndClaim: `
    with ${readyTasks}, completed as (${completeClaimed}), claimed as (${claimReady('numbered')})
    select claimed.*, completed_id, completed_lease
    from claimed full join completed on false`,

  notify: `select pg_notify('tally_tasks', message), ${commitUnflushed} from unnest($messages::text[]) as message`,
}

/** The channel of notifications. */
export const channel = 'tally_tasks'

type Name = keyof typeof texts
const statements = Object.fromEntries(
  Object.entries(texts).map(([name, text]) => [name, numberParameters(text)]),
) as Record<Name, Statement>

/**
 * Runs a statement by its name. Its rows also have `count`, the number of changed rows.
 *
 * @param parameters by their names in the text; arrays by `sql.array`
 */
export function execute<Row>(
  sql: SQL | TransactionSQL,
  name: Name,
  parameters: Readonly<Record<string, unknown>> = {},
): SQL.Query<Row[] & { count: number }> {
  const { text, names } = statements[name]
  return sql.unsafe(
    text,
    names.map((parameter) => parameters[parameter]),
  )
}

/**
 * Reads a page of tasks, newest first: up to the limit, and up to `maxCharacters` in all payloads, but at least one.
 * `found` counts one row more than the limit, to show whether there is a next page.
 */
export function listPage<Row>(
  sql: SQL,
  { limit, status, after }: TaskPageRequest,
  maxCharacters: number,
): SQL.Query<Row[]> {
  return sql<Row[]>`
    select * from (
      select *, count(*) over ()::int as found, row_number() over downwards as place,
        sum(octet_length(payload)) over downwards as bytes
      from (select * from tasks
        where true ${after === undefined ? sql`` : sql`and seq < ${after}::bigint`}
          ${status === undefined ? sql`` : sql`and status = ${status}`}
        order by seq desc limit ${limit + 1}) as ahead
      window downwards as (order by seq desc rows unbounded preceding)
    ) as measured
    where place = 1 or (place <= ${limit} and bytes <= ${maxCharacters}) order by seq desc`
}
