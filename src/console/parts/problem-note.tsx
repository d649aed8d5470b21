import type { Problem } from '../api/problem.ts'

/** Why a request failed, with the request id for the log. */
export function ProblemNote({ problem }: { readonly problem: Problem | undefined }) {
  if (problem === undefined) return null
  return (
    <div className="problem" role="alert">
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
      {problem.issues.length > 0 && (
        <ul>
          {problem.issues.map(({ pointer, detail }) => (
            <li key={`${pointer} ${detail}`}>
              <code>{pointer === '' ? 'body' : pointer}</code> {detail}
            </li>
          ))}
        </ul>
      )}
      {problem.requestId !== undefined && (
        <p className="quiet">
          Request <code>{problem.requestId}</code>
        </p>
      )}
    </div>
  )
}
