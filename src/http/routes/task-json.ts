import type { Task } from '../../tasks/task.ts'

/**
 * A task as JSON, in parts: payload and result are JSON text already, and may be large, so they are put in
 * as they are.
 */
export function taskMembers(task: Task): string[] {
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
