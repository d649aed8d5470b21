import { OperationLink } from '../parts/operation-link.tsx'
import { Pager } from '../parts/pager.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { formatRoute, type Route } from '../route.ts'
import { EmptyTasks } from './empty-tasks.tsx'
import { RetryAll } from './retry-all.tsx'
import { StatusFilter } from './status-filter.tsx'
import { TaskDetails } from './task-details.tsx'
import { TaskTable } from './task-table.tsx'
import { type TaskStatus, taskStatuses, useStats, useTasks } from './use-tasks.ts'

/** The queue, the details of one task, and its actions. */
export function TasksView({ params }: Pick<Route, 'params'>) {
  const status = taskStatuses.find((each) => each === params.get('status'))
  const cursor = params.get('cursor') ?? undefined
  const id = params.get('id') ?? undefined
  const page = useTasks(status, cursor)
  const stats = useStats()
  const reload = (): void => {
    page.reload()
    stats.reload()
  }
  const linkTo = (change: { id?: string; cursor?: string }): string =>
    formatRoute('tasks', { status, cursor, id, ...change })
  return (
    <>
      <h1>Tasks</h1>
      <p className="lead">
        Work for later, from <OperationLink operation="tasks/createTask">POST /tasks</OperationLink>. Each
        task ends with exactly one result.
      </p>
      <StatusFilter current={status} stats={stats.data} />
      <ProblemNote problem={page.problem} />
      {status === 'failed' && <RetryAll isEmpty={page.data?.tasks.length === 0} onDone={reload} />}
      <div className={id === undefined ? 'list' : 'list with-details'}>
        <div>
          {page.data?.tasks.length === 0 && <EmptyTasks status={status} />}
          {page.data !== undefined && page.data.tasks.length > 0 && (
            <TaskTable tasks={page.data.tasks} selected={id} linkTo={(taskId) => linkTo({ id: taskId })} />
          )}
          <TaskPager status={status} cursor={cursor} next={page.data?.next} />
        </div>
        {id !== undefined && (
          <TaskDetails key={id} id={id} closeHref={formatRoute('tasks', { status, cursor })} />
        )}
      </div>
    </>
  )
}

function TaskPager(props: {
  readonly status: TaskStatus | undefined
  readonly cursor: string | undefined
  readonly next: string | undefined
}) {
  const { status, cursor, next } = props
  return (
    <Pager
      first={formatRoute('tasks', { status })}
      isFirst={cursor === undefined}
      next={next === undefined ? undefined : formatRoute('tasks', { status, cursor: next })}
    />
  )
}
