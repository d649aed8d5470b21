import type { TaskJson } from '../../http/routes/task-json.ts'
import { formatRoute } from '../route.ts'

const steps = ['pending', 'processing', 'completed'] as const
const labels = { pending: 'Stored', processing: 'A worker has it', completed: 'Done' } as const

/** The progress of an analysis. A task shows its states. */
export function TaskProgress({ task }: { readonly task: Pick<TaskJson, 'id' | 'status'> | undefined }) {
  if (task === undefined) return <p role="status">Analyzing …</p>
  const reached = (steps as readonly string[]).indexOf(task.status)
  return (
    <div role="status">
      <p>
        Task <a href={formatRoute('tasks', { id: task.id })}>{task.id}</a>
      </p>
      <ol className="steps">
        {steps.map((step, i) => (
          <li key={step} data-reached={i <= reached} aria-current={i === reached ? 'step' : undefined}>
            {labels[step]}
          </li>
        ))}
      </ol>
    </div>
  )
}
