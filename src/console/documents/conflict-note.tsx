import { ScrollingText } from '../parts/scrolling-text.tsx'
import type { StoredDocument } from './document-api.ts'

/** Shows the other version of a document that changed meanwhile, and asks which one to keep. */
export function ConflictNote(props: {
  readonly theirs: StoredDocument
  readonly onResolve: (keep: 'theirs' | 'mine') => void
}) {
  const { theirs, onResolve } = props
  return (
    <div className="problem" role="alert">
      <strong>The document has changed since you opened it</strong>
      <p>Nothing was overwritten. This is version {theirs.etag}:</p>
      <ScrollingText label="The other version" text={theirs.text} />
      <div className="actions">
        <button type="button" onClick={() => onResolve('theirs')}>
          Take the other version
        </button>
        <button type="button" onClick={() => onResolve('mine')}>
          Keep mine, to save it over the other
        </button>
      </div>
    </div>
  )
}
