import type { Task } from '../../tasks/task.ts'

/** A task as clients see it. */
export interface TaskJson {
  readonly id: string
  readonly kind: string
  readonly status: Task['status']
  readonly priority: number
  readonly attempts: number
  readonly created_at: string
  readonly run_at: string
  readonly updated_at: string
  // biome-ignore lint/suspicious/noExplicitAny: any JSON, for the typed client
  readonly payload: any
  // biome-ignore lint/suspicious/noExplicitAny: any JSON, for the typed client
  readonly result?: any
  readonly error?: string
}

/** Serializes a task as JSON, in parts: payload and result are JSON text already, and may be large. */
export function serializeTask(task: Task): string[] {
  const { id, kind, payload, status, priority, createdAt, runAt, updatedAt, attempts, result, error } = task
  const parts = [
    `{"id":${JSON.stringify(id)},"kind":${JSON.stringify(kind)},"status":"${status}",`,
    `"priority":${priority},"attempts":${attempts},"created_at":"${formatTime(createdAt)}",`,
    `"run_at":"${formatTime(runAt)}","updated_at":"${formatTime(updatedAt)}",`,
    '"payload":',
    payload,
  ]
  if (result !== undefined) parts.push(',"result":', result)
  if (error !== undefined) parts.push(`,"error":${JSON.stringify(error)}`)
  parts.push('}')
  return parts
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString()
}
