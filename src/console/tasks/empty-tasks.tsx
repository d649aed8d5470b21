import { baseUrl } from '../api/client.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import type { TaskStatus } from './use-tasks.ts'

const command = `curl ${new URL('tasks', baseUrl).href} -H 'content-type: application/json' -d '{"payload": "Sample text for analysis"}'`

/** What to do when there are no tasks. */
export function EmptyTasks({ status }: { readonly status: TaskStatus | undefined }) {
  if (status !== undefined) return <p className="empty">No task is {status}.</p>
  return (
    <div className="empty">
      <p>There are no tasks. This command makes one:</p>
      <pre>{command}</pre>
      <CopyButton label="Copy command" text={() => command} />
    </div>
  )
}
