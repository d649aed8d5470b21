import { useCallback, useEffect, useRef, useState } from 'react'
import { type Problem, toProblem } from './problem.ts'

export interface RequestState<T> {
  /** The last response; kept while a later request fails. */
  readonly data?: T | undefined
  /** Why the last request failed. */
  readonly problem?: Problem | undefined
  /** Repeats the request. */
  readonly reload: () => void
}

/**
 * Sends a request when a component appears, and whenever `load` changes.
 *
 * @param load must be stable, as from `useCallback`
 * @param intervalMs repeats the request this long after each response, in ms. Default: never.
 */
export function useRequest<T>(
  load: (signal: AbortSignal) => Promise<T>,
  intervalMs?: number,
): RequestState<T> {
  const [state, setState] = useState<Pick<RequestState<T>, 'data' | 'problem'>>({})
  const reloadRef = useRef(() => {})
  useEffect(() => {
    const controller = new AbortController()
    const { signal } = controller
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async (): Promise<void> => {
      clearTimeout(timer)
      try {
        const data = await load(signal)
        if (!signal.aborted) setState({ data })
      } catch (error) {
        if (!signal.aborted) setState(({ data }) => ({ data, problem: toProblem(error) }))
      }
      if (intervalMs !== undefined && !signal.aborted) timer = setTimeout(run, intervalMs)
    }
    reloadRef.current = () => void run()
    void run()
    return () => {
      controller.abort()
      clearTimeout(timer)
    }
  }, [load, intervalMs])
  return { ...state, reload: useCallback(() => reloadRef.current(), []) }
}
