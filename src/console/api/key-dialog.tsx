import { type FormEvent, useEffect, useRef, useSyncExternalStore } from 'react'
import { accessKey } from './access-key.ts'

const subscribe = accessKey.subscribe.bind(accessKey)

/** Asks for the API key or token that the service requires. */
export function KeyDialog() {
  const prompt = useSyncExternalStore(subscribe, () => accessKey.prompt)
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (prompt !== undefined) dialog.current?.showModal()
    else dialog.current?.close()
  }, [prompt])

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const key = String(new FormData(event.currentTarget).get('key')).trim()
    if (key !== '') accessKey.answer(key)
  }
  return (
    <dialog ref={dialog} aria-labelledby="key-title" onCancel={() => accessKey.answer(undefined)}>
      <form onSubmit={submit} key={String(prompt === undefined)}>
        <h2 id="key-title">A key is required</h2>
        <p>
          {prompt?.isRetry
            ? 'The service refused this key. Enter another one.'
            : 'This service is open to clients with an API key or a token. It is kept until you close this tab.'}
        </p>
        <label htmlFor="access-key">API key or token</label>
        <input id="access-key" name="key" type="password" autoComplete="off" required />
        <div className="actions">
          <button type="submit" className="primary">
            Use this key
          </button>
          <button type="button" onClick={() => accessKey.answer(undefined)}>
            Not now
          </button>
        </div>
      </form>
    </dialog>
  )
}
