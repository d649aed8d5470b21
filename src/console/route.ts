import { useMemo, useSyncExternalStore } from 'react'

export const views = ['analyze', 'tasks', 'documents', 'rollout'] as const
export type View = (typeof views)[number]

/** The state of the page that a link or a reload restores. */
export interface Route {
  readonly view: View
  readonly params: URLSearchParams
}

/**
 * Parses the fragment of the address. An unknown view becomes the first one.
 *
 * @example parseRoute('#/tasks?status=failed') // { view: 'tasks', params: 'status=failed' }
 */
export function parseRoute(hash: string): Route {
  const [, name, query] = /^#\/(\w*)(?:\?(.*))?$/.exec(hash) ?? []
  const view = views.find((each) => each === name) ?? views[0]
  return { view, params: new URLSearchParams(query) }
}

/**
 * The fragment of a view, without undefined parameters.
 *
 * @example formatRoute('tasks', { status: 'failed', id: undefined }) // '#/tasks?status=failed'
 */
export function formatRoute(view: View, params: Readonly<Record<string, string | undefined>> = {}): string {
  const entries = Object.entries(params).filter(([, value]) => value !== undefined) as [string, string][]
  const query = new URLSearchParams(entries).toString()
  return `#/${view}${query === '' ? '' : `?${query}`}`
}

/** Shows another view or state. With `replace`, the Back button skips the present one. */
export function navigate(hash: string, { replace = false } = {}): void {
  if (replace) location.replace(hash)
  else location.hash = hash
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange)
  return () => removeEventListener('hashchange', onChange)
}

/** The present route of the page. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash)
  return useMemo(() => parseRoute(hash), [hash])
}
