import { useCallback, useState } from 'react'
import { client } from '../api/client.ts'
import { type Problem, toProblem } from '../api/problem.ts'
import { readTasks } from './use-tasks.ts'

/** The progress of a retry of all failed tasks. */
export type RetryAllState =
  | { readonly state: 'idle' }
  | { readonly state: 'running'; readonly retried: number }
  | { readonly state: 'done'; readonly retried: number }
  | { readonly state: 'failed'; readonly problem: Problem }

/** The largest page size. */
const pageSize = '100'

/** Retries every task that has failed so far, one by one, with the public routes. */
export function useRetryAll(onDone: () => void) {
  const [state, setState] = useState<RetryAllState>({ state: 'idle' })
  const retryAll = useCallback(async (): Promise<void> => {
    let retried = 0
    try {
      const ids = await listFailed()
      setState({ state: 'running', retried })
      for (const id of ids) {
        const response = await client.tasks[':id'].retry.$post({ param: { id } })
        // Another client may have retried or deleted it meanwhile.
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

/** The ids of all failed tasks, collected before the first retry, which changes the pages. */
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
