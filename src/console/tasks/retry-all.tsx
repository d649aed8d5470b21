import { ProblemNote } from '../parts/problem-note.tsx'
import { useRetryAll } from './use-retry-all.ts'

export function RetryAll({ onDone }: { readonly onDone: () => void }) {
  const { state, retryAll } = useRetryAll(onDone)
  return (
    <div className="actions">
      <button type="button" onClick={retryAll} disabled={state.state === 'running'}>
        Retry all failed
      </button>
      <p role="status" className="quiet">
        {state.state === 'running' && `${state.retried} retried …`}
        {state.state === 'done' && `${state.retried} retried`}
      </p>
      {state.state === 'failed' && <ProblemNote problem={state.problem} />}
    </div>
  )
}
