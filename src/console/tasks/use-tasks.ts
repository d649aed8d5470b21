import { useCallback } from 'react'
import type { TaskJson } from '../../http/routes/task-json.ts'
import { client } from '../api/client.ts'
import { nextCursor } from '../api/next-cursor.ts'
import { expectOk } from '../api/problem.ts'
import { type RequestState, useRequest } from '../api/use-request.ts'

export const taskStatuses = [
  'pending',
  'processing',
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly TaskJson['status'][]
export type TaskStatus = (typeof taskStatuses)[number]

export interface TaskPage {
  readonly tasks: readonly TaskJson[]
  /** Undefined on the last page. */
  readonly next: string | undefined
}

const pageSize = '20'
const refreshMs = 2_000

/** One page of tasks, newest first. */
export async function readTasks(
  query: {
    readonly status?: TaskStatus | undefined
    readonly cursor?: string | undefined
    readonly limit?: string
  },
  signal?: AbortSignal,
): Promise<TaskPage> {
  const { status, cursor, limit = pageSize } = query
  const response = await expectOk(
    client.tasks.$get(
      { query: { limit, ...(status !== undefined && { status }), ...(cursor !== undefined && { cursor }) } },
      signal === undefined ? {} : { init: { signal } },
    ),
  )
  const { tasks } = await response.json()
  return { tasks, next: nextCursor(response.headers.get('link')) }
}

/** A page of tasks, live. */
export function useTasks(status: TaskStatus | undefined, cursor: string | undefined): RequestState<TaskPage> {
  const load = useCallback((signal: AbortSignal) => readTasks({ status, cursor }, signal), [status, cursor])
  return useRequest(load, refreshMs)
}

async function readStats(signal: AbortSignal) {
  return (await expectOk(client.tasks.stats.$get({}, { init: { signal } }))).json()
}

export type QueueStats = Awaited<ReturnType<typeof readStats>>

/** The counts of the queue, live. */
export function useStats(): RequestState<QueueStats> {
  return useRequest(readStats, refreshMs)
}
