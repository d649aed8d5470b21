import type { TaskJson } from '../../http/routes/task-json.ts'
import { JsonText } from '../parts/json-text.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { Time } from '../parts/time.tsx'
import { StatusBadge } from './status-badge.tsx'
import { useTask } from './use-task.ts'

/** One task with all its fields, live. */
export function TaskDetails({ id, closeHref }: { readonly id: string; readonly closeHref: string }) {
  const { task, problem, act, isEnded } = useTask(id)
  return (
    <section className="details" aria-label="Task">
      <div className="details-head">
        <h2>
          Task <code>{id}</code>
        </h2>
        <a href={closeHref}>Close</a>
      </div>
      <ProblemNote problem={problem} />
      {task !== undefined && (
        <>
          <div className="actions">
            <StatusBadge status={task.status} />
            {!isEnded && (
              <button type="button" onClick={() => act('cancel')}>
                Cancel
              </button>
            )}
            {task.status === 'failed' && (
              <button type="button" className="primary" onClick={() => act('retry')}>
                Retry
              </button>
            )}
          </div>
          <TaskFacts task={task} />
          <JsonText label="Payload" value={task.payload} />
          {task.result !== undefined && <JsonText label="Result" value={task.result} />}
        </>
      )}
    </section>
  )
}

function TaskFacts({ task }: { readonly task: TaskJson }) {
  const { kind, priority, attempts, created_at, run_at, updated_at, error } = task
  return (
    <dl className="facts">
      <dt>Kind</dt>
      <dd>{kind}</dd>
      <dt>Priority</dt>
      <dd>{priority}</dd>
      <dt>Attempts</dt>
      <dd>{attempts}</dd>
      <dt>Created</dt>
      <dd>
        <Time at={created_at} />
      </dd>
      <dt>Due</dt>
      <dd>
        <Time at={run_at} />
      </dd>
      <dt>Changed</dt>
      <dd>
        <Time at={updated_at} />
      </dd>
      {error !== undefined && (
        <>
          <dt>Error</dt>
          <dd className="error">{error}</dd>
        </>
      )}
    </dl>
  )
}
