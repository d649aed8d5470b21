import { ProblemNote } from '../parts/problem-note.tsx'
import { useRetryAll } from './use-retry-all.ts'

/** Stays visible without failed tasks, to report how many it has retried. */
export function RetryAll(props: { readonly isEmpty: boolean; readonly onDone: () => void }) {
  const { isEmpty, onDone } = props
  const { state, retryAll } = useRetryAll(onDone)
  return (
    <div className="actions">
      <button type="button" onClick={retryAll} disabled={isEmpty || state.state === 'running'}>
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
