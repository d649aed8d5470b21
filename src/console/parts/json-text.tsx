import { useMemo, useState } from 'react'
import { CopyButton } from './copy-button.tsx'
import { ScrollingText } from './scrolling-text.tsx'

/** Longer texts are truncated with a note, in characters. */
const maxShown = 4_000

/** A JSON value as text. States what is hidden; one click shows it. */
export function JsonText({ label, value }: { readonly label: string; readonly value: unknown }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? '', [value])
  const [isWhole, setWhole] = useState(false)
  const isCut = text.length > maxShown && !isWhole
  return (
    <section className="json" aria-label={label}>
      <div className="json-head">
        <h3>{label}</h3>
        <CopyButton label={`Copy ${label.toLowerCase()}`} text={() => text} />
      </div>
      <ScrollingText label={`${label} as JSON`} text={isCut ? text.slice(0, maxShown) : text} />
      {isCut && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {text.length.toLocaleString('en')} characters
        </button>
      )}
    </section>
  )
}
