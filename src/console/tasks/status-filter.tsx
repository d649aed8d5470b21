import { formatRoute } from '../route.ts'
import { type QueueStats, type TaskStatus, taskStatuses } from './use-tasks.ts'

/** Links to the tasks of each status, with their count. */
export function StatusFilter(props: {
  readonly current: TaskStatus | undefined
  readonly stats: QueueStats | undefined
}) {
  const { current, stats } = props
  return (
    <>
      <nav className="filter" aria-label="Status">
        <a href={formatRoute('tasks')} aria-current={current === undefined ? 'true' : undefined}>
          all
        </a>
        {taskStatuses.map((status) => (
          <a
            key={status}
            href={formatRoute('tasks', { status })}
            aria-current={current === status ? 'true' : undefined}
          >
            {status} <span className="count">{stats === undefined ? '' : countOf(stats, status)}</span>
          </a>
        ))}
      </nav>
      <QueueNote stats={stats} />
    </>
  )
}

const countOf = (stats: QueueStats, status: TaskStatus): string => {
  const count = status === 'pending' ? stats.waiting + stats.delayed : stats[status]
  return count.toLocaleString('en')
}

/** What delays tasks, and how many are running. */
function QueueNote({ stats }: { readonly stats: QueueStats | undefined }) {
  if (stats === undefined) return null
  const { workers, paused, waiting, runs_per_minute: runs } = stats
  if (paused) return <p className="notice">An operator has paused the queue: no worker claims tasks.</p>
  if (workers.length === 0 && waiting > 0)
    return <p className="notice">No worker runs: tasks wait, and none is lost.</p>
  return (
    <p className="quiet">
      {workers.length} {workers.length === 1 ? 'worker' : 'workers'}, {runs} {runs === 1 ? 'run' : 'runs'} in
      the last minute
    </p>
  )
}
