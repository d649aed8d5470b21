import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { isEnded, type Task } from '../../tasks/task.ts'
import { QueueUnavailable, type TaskQueue } from '../../tasks/task-queue.ts'
import type { Log } from '../../telemetry/log/log.ts'
import type { Env } from '../env.ts'
import { serializeTask } from './task-json.ts'

/** Streams of one process: each watches its task. */
const maxStreams = 1_000
/** How often a quiet stream sends a comment at least, in ms: proxies would take it for dead. */
const maxHeartbeatIntervalMs = 15_000
/** How soon a client reconnects when a stream ends before its task, in ms. */
const retryMs = 1_000

/** The open event streams of a process, so that a drain can end them. */
export class EventStreams {
  /** How often a quiet stream sends a comment, in ms. */
  readonly heartbeatIntervalMs: number
  readonly #open = new Set<AbortController>()
  #isEnded = false

  /** @param idleTimeoutMs the server closes a connection that is silent for this long. Default: it does not. */
  constructor(idleTimeoutMs = Number.POSITIVE_INFINITY) {
    this.heartbeatIntervalMs = Math.min(maxHeartbeatIntervalMs, idleTimeoutMs / 2)
  }

  /** Adds a stream; with `maxStreams` open, the oldest ends for it. Abort the controller to end the stream. */
  open(): AbortController {
    const controller = new AbortController()
    if (this.#isEnded) controller.abort()
    if (this.#open.size >= maxStreams) this.#open.values().next().value?.abort()
    this.#open.add(controller)
    controller.signal.addEventListener('abort', () => this.#open.delete(controller))
    return controller
  }

  /** Ends every stream properly: clients reconnect, and another instance answers. */
  endAll(): void {
    this.#isEnded = true
    for (const controller of this.#open) controller.abort()
  }
}

const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

export interface TaskStreamDeps {
  readonly queue: TaskQueue
  readonly eventStreams: EventStreams
  readonly log: Pick<Log, 'error'>
}

/**
 * Streams the changes of a task as server-sent events: one `task` event now, one after each change, and the end of the
 * stream with the end of the task. A stream also ends when the instance drains.
 *
 * Clients reconnect whenever a stream ends, and name the last event that they got. Who has the last one of an ended task gets
 * 204, which ends the reconnecting (HTML Living Standard, §9.2).
 */
export function streamTask(
  c: Context<Env>,
  task: Task,
  { queue, eventStreams, log }: TaskStreamDeps,
): Response {
  const { method, signal, requestId } = c.get('request')
  if (isEnded(task) && c.req.header('last-event-id') === eventId(task)) return c.body(null, 204)
  // Bun neither reads nor cancels the stream of a HEAD, and nobody reads one after the deadline: it would stay open.
  if (method === 'HEAD' || signal.aborted) return c.body(null, 200, headers)
  const controller = eventStreams.open()
  const response = streamSSE(c, async (stream) => {
    stream.onAbort(() => controller.abort())
    const heartbeat = setInterval(
      () => void stream.write(': heartbeat\n\n'),
      eventStreams.heartbeatIntervalMs,
    )
    try {
      // A block of its own: it is no event, and the OpenAPI document describes events.
      await stream.write(`retry: ${retryMs}\n\n`)
      await stream.writeSSE(toEvent(task))
      if (isEnded(task)) return
      for await (const changed of queue.watch(task.id, controller.signal)) {
        if (changed.updatedAt === task.updatedAt && changed.status === task.status) continue
        await stream.writeSSE(toEvent(changed))
      }
    } catch (error) {
      // The stream ends. With an unreachable queue, the client learns why when it reconnects.
      if (!(error instanceof QueueUnavailable))
        log.error('event stream failed', { request_id: requestId, error })
    } finally {
      clearInterval(heartbeat)
      controller.abort()
    }
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  // Bun frames the body itself, and a draining server must be able to say `Connection: close`.
  response.headers.delete('transfer-encoding')
  response.headers.delete('connection')
  return response
}

const toEvent = (task: Task) => ({ event: 'task', data: serializeTask(task).join(''), id: eventId(task) })

/** Names a state of a task. */
const eventId = ({ updatedAt, status }: Task): string => `${updatedAt}-${status}`
