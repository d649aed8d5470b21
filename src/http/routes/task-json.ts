import type { Task } from '../../tasks/task.ts'

/** A task as clients see it. */
export interface TaskJson {
  readonly id: string
  readonly status: Task['status']
  readonly attempts: number
  readonly created_at: string
  readonly updated_at: string
  // biome-ignore lint/suspicious/noExplicitAny: any JSON, for the typed client
  readonly payload: any
  // biome-ignore lint/suspicious/noExplicitAny: any JSON, for the typed client
  readonly result?: any
  readonly error?: string
}

/** Serializes a task as JSON, in parts: payload and result are JSON text already, and may be large. */
export function serializeTask(task: Task): string[] {
  const { id, payload, status, createdAt, updatedAt, attempts, result, error } = task
  const parts = [
    `{"id":${JSON.stringify(id)},"status":"${status}","attempts":${attempts},`,
    `"created_at":"${new Date(createdAt).toISOString()}","updated_at":"${new Date(updatedAt).toISOString()}",`,
    '"payload":',
    payload,
  ]
  if (result !== undefined) parts.push(',"result":', result)
  if (error !== undefined) parts.push(`,"error":${JSON.stringify(error)}`)
  parts.push('}')
  return parts
}
