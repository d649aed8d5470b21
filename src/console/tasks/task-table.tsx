import type { TaskJson } from '../../http/routes/task-json.ts'
import { Time } from '../parts/time.tsx'
import { StatusBadge } from './status-badge.tsx'

export function TaskTable(props: {
  readonly tasks: readonly TaskJson[]
  readonly selected: string | undefined
  readonly linkTo: (id: string) => string
}) {
  const { tasks, selected, linkTo } = props
  return (
    <div className="scroll">
      <table className="rows">
        <caption className="visually-hidden">Tasks, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">Kind</th>
            <th scope="col">Status</th>
            <th scope="col" className="number">
              Attempts
            </th>
            <th scope="col">Created</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map(({ id, kind, status, attempts, created_at }) => (
            <tr key={id} data-selected={id === selected}>
              <th scope="row">
                <a href={linkTo(id)} aria-current={id === selected ? 'true' : undefined} title={id}>
                  <code>{shorten(id)}</code>
                </a>
              </th>
              <td>{kind}</td>
              <td>
                <StatusBadge status={status} />
              </td>
              <td className="number">{attempts}</td>
              <td>
                <Time at={created_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Ids begin with the time, so their ends differ. */
const shorten = (id: string): string => (id.length > 12 ? `…${id.slice(-8)}` : id)
