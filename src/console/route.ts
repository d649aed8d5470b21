import { useMemo, useSyncExternalStore } from 'react'

export const views = ['analyze', 'tasks', 'documents', 'rollout'] as const
export type View = (typeof views)[number]

/** What the page shows: all of its state that a link or a reload should bring back. */
export interface Route {
  readonly view: View
  readonly params: URLSearchParams
}

/**
 * Reads the fragment of the address. An unknown view is the first one.
 *
 * @example parseRoute('#/tasks?status=failed') // { view: 'tasks', params: 'status=failed' }
 */
export function parseRoute(hash: string): Route {
  const [, name, query] = /^#\/(\w*)(?:\?(.*))?$/.exec(hash) ?? []
  const view = views.find((each) => each === name) ?? views[0]
  return { view, params: new URLSearchParams(query) }
}

/**
 * The fragment for a view, without the parameters that are undefined.
 *
 * @example formatRoute('tasks', { status: 'failed', id: undefined }) // '#/tasks?status=failed'
 */
export function formatRoute(view: View, params: Readonly<Record<string, string | undefined>> = {}): string {
  const entries = Object.entries(params).filter(([, value]) => value !== undefined) as [string, string][]
  const query = new URLSearchParams(entries).toString()
  return `#/${view}${query === '' ? '' : `?${query}`}`
}

/** Shows another view, or the same one in another state. `replace`: the Back button does not return to this state. */
export function navigate(hash: string, { replace = false } = {}): void {
  if (replace) location.replace(hash)
  else location.hash = hash
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange)
  return () => removeEventListener('hashchange', onChange)
}

/** The route of the page, as it changes. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash)
  return useMemo(() => parseRoute(hash), [hash])
}
