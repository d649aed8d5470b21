import type { PostgresPool } from '../../database/postgres/pool.ts'
import { Batcher } from '../batcher.ts'
import type { Claim, LeaseWrite } from '../lease-consumer.ts'
import { fromRow, type TaskRow } from '../task-sql.ts'
import { execute } from './statements.ts'

/** The most tasks that one statement claims and completes. */
const maxBatchTasks = 128

interface NewLease {
  readonly lease: string
  readonly workerId: string
}

interface Completion {
  readonly lease: string
  readonly result: string
}

type ClaimedRow = TaskRow & { lease: string; wait_ms: string }
/** One of both: a full join of claimed and completed tasks. */
type Row = (ClaimedRow | { id: null }) & { completed_id?: string | null; completed_lease?: string | null }

export interface RunWritesOptions {
  readonly onUpdated: (ids: readonly string[]) => void
  /** Why a completion was not written. */
  readonly explainLoss: (lease: string) => Promise<LeaseWrite>
}

/**
 * Claims and completes tasks. Simultaneous calls share one statement with one commit: a worker that completes a task
 * claims its next one.
 *
 * No batch is repeated when its connection breaks, because the first attempt may have claimed tasks already.
 */
export class RunWrites {
  readonly #pool: PostgresPool
  readonly #options: RunWritesOptions
  readonly #batcher: Batcher<NewLease | Completion, Claim | LeaseWrite | undefined>

  constructor(pool: PostgresPool, options: RunWritesOptions) {
    this.#pool = pool
    this.#options = options
    this.#batcher = new Batcher((items) => this.#run(items), {
      maxItems: 2 * maxBatchTasks,
      characters: (item) => ('result' in item ? item.result.length : 0),
    })
  }

  /** @returns undefined when no task can be claimed */
  async claim(lease: NewLease): Promise<Claim | undefined> {
    return (await this.#batcher.add(lease)) as Claim | undefined
  }

  async complete(completion: Completion): Promise<LeaseWrite> {
    return (await this.#batcher.add(completion)) as LeaseWrite
  }

  async #run(items: readonly (NewLease | Completion)[]): Promise<(Claim | LeaseWrite | undefined)[]> {
    const completions = items.filter((item) => 'result' in item)
    const newLeases = items.filter((item) => 'workerId' in item)
    const rows = await this.#execute(completions, newLeases)
    const claimed = new Map(rows.flatMap((row) => (isClaimed(row) ? [[row.lease, row]] : [])))
    const completed = new Map(rows.map((row) => [row.completed_lease, row.completed_id]))
    const ids = [
      ...[...claimed.values()].map(({ id }) => id),
      ...[...completed.values()].filter((id) => typeof id === 'string'),
    ]
    if (ids.length > 0) this.#options.onUpdated(ids)
    return await Promise.all(
      items.map(async ({ lease, ...item }) => {
        if ('result' in item)
          return completed.has(lease) ? ('written' as const) : await this.#options.explainLoss(lease)
        const row = claimed.get(lease)
        return row && { task: fromRow(row), waitMs: Number(row.wait_ms) }
      }),
    )
  }

  async #execute(
    completions: readonly Completion[],
    newLeases: readonly NewLease[],
  ): Promise<readonly Row[]> {
    const name = completions.length === 0 ? 'claim' : newLeases.length === 0 ? 'complete' : 'completeAndClaim'
    return await this.#pool.run(async (sql) => {
      const texts = (values: string[]) => sql.array(values, 'TEXT')
      return await execute<Row>(sql, name, {
        count: newLeases.length,
        leases: texts(newLeases.map(({ lease }) => lease)),
        workerIds: texts(newLeases.map(({ workerId }) => workerId)),
        completedLeases: texts(completions.map(({ lease }) => lease)),
        results: texts(completions.map(({ result }) => result)),
      })
    }, false)
  }
}

function isClaimed(row: Row): row is ClaimedRow {
  return row.id !== null && 'lease' in row
}
