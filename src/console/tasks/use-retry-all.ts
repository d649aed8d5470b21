import { useCallback, useState } from 'react'
import { client } from '../api/client.ts'
import { type Problem, toProblem } from '../api/problem.ts'
import { readTasks } from './use-tasks.ts'

/** How far a retry of all failed tasks is. */
export type RetryAllState =
  | { readonly state: 'idle' }
  | { readonly state: 'running'; readonly retried: number }
  | { readonly state: 'done'; readonly retried: number }
  | { readonly state: 'failed'; readonly problem: Problem }

/** The largest page. */
const pageSize = '100'

/** Retries every task that is failed now, one by one, by the routes that a client has. */
export function useRetryAll(onDone: () => void) {
  const [state, setState] = useState<RetryAllState>({ state: 'idle' })
  const retryAll = useCallback(async (): Promise<void> => {
    let retried = 0
    try {
      const ids = await listFailed()
      setState({ state: 'running', retried })
      for (const id of ids) {
        const response = await client.tasks[':id'].retry.$post({ param: { id } })
        // Others may have retried or deleted it meanwhile.
        if (response.ok) setState({ state: 'running', retried: ++retried })
      }
      setState({ state: 'done', retried })
    } catch (error) {
      setState({ state: 'failed', problem: toProblem(error) })
    }
    onDone()
  }, [onDone])
  return { state, retryAll }
}

/** The ids of all failed tasks, read before any is retried: then it is on no page of failed ones any more. */
async function listFailed(): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const { tasks, next } = await readTasks({ status: 'failed', cursor, limit: pageSize })
    ids.push(...tasks.map(({ id }) => id))
    cursor = next
  } while (cursor !== undefined)
  return ids
}
