import type { FormEvent } from 'react'
import type { Problem } from '../api/problem.ts'
import { Field } from '../parts/field.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { ConflictNote } from './conflict-note.tsx'
import { DeleteButton } from './delete-button.tsx'
import { type EditorEvents, type EditorState, useEditor } from './use-editor.ts'

/** One document as text, with its version. */
export function DocumentEditor(
  props: EditorEvents & { readonly id: string | undefined; readonly closeHref: string },
) {
  const { id, closeHref, ...events } = props
  const { state, isLoaded, edit, save, remove, resolve } = useEditor(id, events)
  const { text, base, problem, conflict, isBusy, isSaved } = state
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    void save()
  }
  return (
    <section className="details" aria-label="Document">
      <div className="details-head">
        <h2>{id === undefined ? 'New document' : <code>{id}</code>}</h2>
        <a href={closeHref}>Close</a>
      </div>
      {conflict === undefined ? (
        <ProblemNote problem={withoutIssues(problem)} />
      ) : (
        <ConflictNote theirs={conflict} onResolve={resolve} />
      )}
      <form onSubmit={submit}>
        <Field label="JSON" hint={describe(id, state)} issues={problem?.issues ?? []}>
          {(field) => (
            <textarea
              {...field}
              className="code"
              value={text}
              rows={14}
              spellCheck={false}
              readOnly={!isLoaded}
              onChange={({ target }) => edit(target.value)}
            />
          )}
        </Field>
        <div className="actions">
          <button type="submit" className="primary" disabled={!isLoaded || isBusy || conflict !== undefined}>
            {id === undefined ? 'Create' : 'Save'}
          </button>
          {base !== undefined && <DeleteButton isBusy={isBusy} onDelete={remove} />}
          <p role="status" className="quiet">
            {isSaved && 'Saved'}
          </p>
        </div>
      </form>
    </section>
  )
}

const describe = (id: string | undefined, { base, problem }: EditorState): string => {
  if (id === undefined) return 'Without an id, the service assigns one.'
  if (base !== undefined) return `Version ${base.etag}`
  return problem === undefined ? 'Loading …' : ''
}

/** The field itself shows the issues. */
const withoutIssues = (problem: Problem | undefined): Problem | undefined =>
  problem && { ...problem, issues: [] }
