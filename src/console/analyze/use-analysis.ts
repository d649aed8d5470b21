import type { InferResponseType } from 'hono/client'
import { useCallback, useEffect, useRef, useState } from 'react'
import type { TaskJson } from '../../http/routes/task-json.ts'
import { client } from '../api/client.ts'
import { expectOk, type Problem, toProblem } from '../api/problem.ts'
import { watchTask } from '../api/watch-task.ts'
import type { NumberSource, PreparedPayload } from './dataset.ts'
import type { DatasetClient } from './dataset-client.ts'

/** The statistics of numbers and text. */
export type Summary = Extract<
  InferResponseType<typeof client.payload.$post, 200>,
  { readonly numeric_analysis: unknown }
>

/** The state of an analysis. */
export type Analysis =
  | { readonly state: 'idle' }
  | { readonly state: 'running'; readonly task?: Pick<TaskJson, 'id' | 'status'> }
  | { readonly state: 'failed'; readonly problem: Problem }
  | { readonly state: 'done'; readonly summary: Summary; readonly payload: PreparedPayload }

export interface AnalysisInput {
  readonly source: NumberSource
  readonly text: string
}

const json = { headers: { 'content-type': 'application/json' } }
/** Prevents the client from serializing the body, which the worker has already done. */
const placeholder = { numbers: [], text: '' }

/** Analyzes by POST /payload. */
async function analyzeNow({ body }: PreparedPayload, signal: AbortSignal): Promise<Summary> {
  const response = await expectOk(
    client.payload.$post({ json: placeholder, query: {} }, { ...json, init: { body, signal } }),
  )
  return (await response.json()) as Summary
}

/** Analyzes as a task and reports its states. */
async function analyzeAsTask(
  { body }: PreparedPayload,
  signal: AbortSignal,
  onProgress: (task: TaskJson) => void,
): Promise<Summary> {
  const task = new Blob(['{"payload":', body, '}'])
  const created = await expectOk(
    client.tasks.$post({ json: { payload: placeholder } }, { ...json, init: { body: task, signal } }),
  )
  const { task_id } = await created.json()
  for await (const state of watchTask(task_id, signal)) {
    onProgress(state)
    if (state.status === 'completed') return state.result as Summary
    if (state.status !== 'pending' && state.status !== 'processing')
      throw new Error(`The task is ${state.status}${state.error === undefined ? '' : `: ${state.error}`}`)
  }
  throw new Error('The task was not followed to its end.')
}

/** Runs one analysis at a time: a new one cancels the wait for the previous one. */
export function useAnalysis(dataset: DatasetClient | undefined) {
  const [analysis, setAnalysis] = useState<Analysis>({ state: 'idle' })
  const current = useRef<AbortController>(undefined)
  useEffect(() => () => current.current?.abort(), [])

  const analyze = useCallback(
    async (input: AnalysisInput, asTask: boolean): Promise<void> => {
      if (dataset === undefined) return
      current.current?.abort()
      const controller = new AbortController()
      current.current = controller
      const { signal } = controller
      const show = (next: Analysis): void => {
        if (!signal.aborted) setAnalysis(next)
      }
      show({ state: 'running' })
      try {
        const payload = await dataset.call('prepare', input)
        const summary = asTask
          ? await analyzeAsTask(payload, signal, (task) => show({ state: 'running', task }))
          : await analyzeNow(payload, signal)
        show({ state: 'done', summary, payload })
      } catch (error) {
        show({ state: 'failed', problem: toProblem(error) })
      }
    },
    [dataset],
  )
  return { analysis, analyze }
}
