import { useState } from 'react'

/** How long the button confirms the copy, in ms. */
const shownMs = 1_500

/** Copies a text. */
export function CopyButton({ label, text }: { readonly label: string; readonly text: () => string }) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>()
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text())
      setOutcome('copied')
    } catch {
      // Browsers provide the clipboard only over TLS and on localhost.
      setOutcome('failed')
    }
    setTimeout(() => setOutcome(undefined), shownMs)
  }
  return (
    <button type="button" onClick={copy}>
      {outcome === undefined ? label : outcome === 'copied' ? 'Copied' : 'Not allowed here'}
      <span className="visually-hidden" role="status">
        {outcome === 'copied' && `${label}: copied`}
      </span>
    </button>
  )
}
