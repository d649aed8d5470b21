import type { KindDeps, TaskKind } from './kinds/kind.ts'
import { taskKinds } from './kinds/registry.ts'
import type { Task } from './task.ts'
import { type TaskHandler, TaskPostponed } from './task-queue.ts'

const kindsByName: ReadonlyMap<string, TaskKind> = new Map(taskKinds.map((kind) => [kind.name, kind]))

/**
 * Creates the handler of all tasks, which passes each to the handler of its kind.
 *
 * A task of an unknown kind is postponed and not failed: during a rolling update, newer instances accept tasks that
 * only newer workers can run.
 */
export function createTaskHandler(deps: KindDeps): TaskHandler {
  const handlers = new Map([...kindsByName].map(([name, kind]) => [name, kind.createHandler(deps)]))
  return async (task, context) => {
    const handler = handlers.get(task.kind)
    if (handler === undefined) throw new TaskPostponed(`this worker does not know the kind ${task.kind}`)
    return handler(task, context)
  }
}

/** The time limit of a run: that of its kind, at most `maxMs`. */
export function findTimeout({ kind }: Pick<Task, 'kind'>, maxMs: number): number {
  return Math.min(maxMs, kindsByName.get(kind)?.timeoutMs ?? maxMs)
}

/** The kind of a task as a label of metrics: tasks of unknown kinds share one value. */
export function kindLabel({ kind }: Pick<Task, 'kind'>): string {
  return kindsByName.has(kind) ? kind : 'unknown'
}
