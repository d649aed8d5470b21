import { useState } from 'react'

/** Deletes on the second click. */
export function DeleteButton(props: { readonly isBusy: boolean; readonly onDelete: () => void }) {
  const { isBusy, onDelete } = props
  const [isSure, setSure] = useState(false)
  if (!isSure)
    return (
      <button type="button" onClick={() => setSure(true)} disabled={isBusy}>
        Delete
      </button>
    )
  return (
    <>
      <button type="button" className="danger" onClick={onDelete} disabled={isBusy}>
        Delete for good
      </button>
      <button type="button" onClick={() => setSure(false)}>
        Keep
      </button>
    </>
  )
}
