import { useCallback, useEffect, useRef, useState } from 'react'
import type { TaskJson } from '../../http/routes/task-json.ts'
import { client } from '../api/client.ts'
import { expectOk, type Problem, RequestFailed, toProblem } from '../api/problem.ts'
import { isEnded, watchTask } from '../api/watch-task.ts'

/** Delay before a task is watched again after its stream broke, in ms. */
const retryMs = 2_000

/** One task, live, with its actions. */
export function useTask(id: string) {
  const [task, setTask] = useState<TaskJson>()
  const [problem, setProblem] = useState<Problem>()
  const watchRef = useRef(() => {})

  useEffect(() => {
    let controller = new AbortController()
    watchRef.current = () => {
      controller.abort()
      controller = new AbortController()
      void follow(id, controller.signal, setTask, setProblem)
    }
    watchRef.current()
    return () => controller.abort()
  }, [id])

  const act = useCallback(
    async (action: 'cancel' | 'retry'): Promise<void> => {
      try {
        const param = { param: { id } }
        const response = await expectOk(
          action === 'cancel' ? client.tasks[':id'].$delete(param) : client.tasks[':id'].retry.$post(param),
        )
        setTask((await response.json()).task)
        setProblem(undefined)
        // The stream of an ended task has ended too, so open a new one.
        if (action === 'retry') watchRef.current()
      } catch (error) {
        setProblem(toProblem(error))
      }
    },
    [id],
  )
  return {
    task: task?.id === id ? task : undefined,
    problem,
    act,
    isEnded: task !== undefined && isEnded(task),
  }
}

/** Reports each state of a task until it ends or `signal` aborts. */
async function follow(
  id: string,
  signal: AbortSignal,
  onTask: (task: TaskJson) => void,
  onProblem: (problem: Problem | undefined) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const task of watchTask(id, signal)) {
        if (signal.aborted) return
        onTask(task)
        onProblem(undefined)
      }
      return
    } catch (error) {
      if (signal.aborted) return
      onProblem(toProblem(error))
      // The task does not exist, so do not retry.
      if (error instanceof RequestFailed && error.problem.status === 404) return
      await new Promise((resolve) => setTimeout(resolve, retryMs))
    }
  }
}
