import type { TaskStatus } from './use-tasks.ts'

const marks: Readonly<Record<TaskStatus, string>> = {
  pending: '○',
  processing: '◐',
  completed: '●',
  failed: '✕',
  cancelled: '–',
}

/** A status by word, symbol and color. */
export function StatusBadge({ status }: { readonly status: TaskStatus }) {
  return (
    <span className="badge" data-status={status}>
      <span aria-hidden="true">{marks[status]}</span> {status}
    </span>
  )
}
