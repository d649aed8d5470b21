import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { isEnded, type Task } from '../../tasks/task.ts'
import { QueueUnavailable, type TaskQueue } from '../../tasks/task-queue.ts'
import type { Log } from '../../telemetry/log/log.ts'
import type { Env } from '../env.ts'
import { holdResponse, largeResponseThreshold, splitText, takeOverHeldBytes } from '../large-response.ts'
import { serializeTask } from './task-json.ts'

/** Streams of one process: each watches its task. */
const maxStreams = 1_000
/** How often a quiet stream sends a comment at least, in ms: proxies would close a silent one. */
const maxHeartbeatIntervalMs = 15_000
/** How soon a client reconnects when a stream ends before its task, in ms. */
const retryMs = 1_000
/** How often a stream polls for memory for a large event, in ms. */
const busyPauseMs = 250

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
 * Clients reconnect whenever a stream ends, and name the last event that they got. A client that has the last one of an ended
 * task gets 204, which stops the reconnecting (HTML Living Standard, §9.2).
 */
export function streamTask(
  c: Context<Env>,
  task: Task,
  { queue, eventStreams, log }: TaskStreamDeps,
): Response {
  const context = c.get('request')
  const { method, signal, requestId, responseBudget } = context
  if (isEnded(task) && c.req.header('last-event-id') === eventId(task)) return c.body(null, 204)
  // Bun neither reads nor cancels the stream of a HEAD response, or of one after the deadline: it would stay open.
  if (method === 'HEAD' || signal.aborted) return c.body(null, 200, headers)
  // The first event is created now, so that the task can be freed: a stream may be open for hours.
  const { id, updatedAt, status } = task
  const hasEnded = isEnded(task)
  let firstEvent = formatEvent(task)
  const takeFirst = (): string => {
    const event = firstEvent
    firstEvent = ''
    return event
  }
  holdResponse(context, firstEvent.length)
  const release = takeOverHeldBytes(context)
  const controller = eventStreams.open()
  const response = streamSSE(c, async (stream) => {
    stream.onAbort(() => controller.abort())
    let isWriting = true
    // Not within an event, which is written in parts.
    const heartbeat = setInterval(
      () => void (isWriting || stream.write(': heartbeat\n\n')),
      eventStreams.heartbeatIntervalMs,
    )
    const send = async (event: string): Promise<void> => {
      isWriting = true
      for (const part of splitText(event)) await stream.write(part)
      isWriting = false
    }
    /** Sends the current task when there is memory for it. It is not held until then. */
    const sendLarge = async (length: number): Promise<void> => {
      const bytes = Math.min(length, responseBudget.maxBytes)
      while (!responseBudget.take(bytes)) {
        await Bun.sleep(busyPauseMs)
        if (controller.signal.aborted) return
      }
      try {
        const latest = await queue.find(id)
        if (latest !== undefined) await send(formatEvent(latest))
      } finally {
        responseBudget.release(bytes)
      }
    }
    try {
      // A separate block: it is not an event, and the OpenAPI document describes events.
      await stream.write(`retry: ${retryMs}\n\n`)
      await send(takeFirst())
      release()
      if (hasEnded) return
      for await (const changed of queue.watch(id, controller.signal)) {
        if (changed.updatedAt === updatedAt && changed.status === status) continue
        const event = formatEvent(changed)
        if (event.length <= largeResponseThreshold) await send(event)
        else await sendLarge(event.length)
      }
    } catch (error) {
      // The stream ends. With an unreachable queue, the client learns why when it reconnects.
      if (!(error instanceof QueueUnavailable))
        log.error('event stream failed', { request_id: requestId, error })
    } finally {
      release()
      clearInterval(heartbeat)
      controller.abort()
    }
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  // Bun frames the body itself, and a draining server must be able to send `Connection: close`.
  response.headers.delete('transfer-encoding')
  response.headers.delete('connection')
  return response
}

/** A task as an event. */
function formatEvent(task: Task): string {
  const data = serializeTask(task)
    .join('')
    .replaceAll(/\r\n|\r|\n/g, '\ndata: ')
  return `event: task\ndata: ${data}\nid: ${eventId(task)}\n\n`
}

/** Names a state of a task. */
const eventId = ({ updatedAt, status }: Task): string => `${updatedAt}-${status}`
