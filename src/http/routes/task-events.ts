import { isEnded, type Task } from '../../tasks/task.ts'
import { QueueUnavailable, type TaskQueue } from '../../tasks/task-queue.ts'
import { type Exchange, identify } from '../request-context.ts'
import { taskMembers } from './task-json.ts'

/** Streams of events that are open, so that a drain can end them. */
export interface EventStreams {
  /** What ends one more stream. When `streamsMax` are open, the oldest ends for it. */
  open(): AbortController
  /** Ends every stream, completely and in order: clients ask again, and another instance answers. */
  endAll(): void
}

/** Streams of one process: each looks after its task. */
const streamsMax = 1_000
/** Keeps proxies from taking a quiet stream for a dead one, in ms. */
const heartbeatMs = 15_000
/** How soon a client should ask again when a stream ends before its task, in ms. */
const retryMs = 1_000

export function createEventStreams(): EventStreams {
  const controllers = new Set<AbortController>()
  let ended = false
  return {
    open() {
      const controller = new AbortController()
      if (ended) controller.abort()
      if (controllers.size >= streamsMax) controllers.values().next().value?.abort()
      controllers.add(controller)
      controller.signal.addEventListener('abort', () => controllers.delete(controller))
      return controller
    },
    endAll() {
      ended = true
      for (const controller of controllers) controller.abort()
    },
  }
}

/**
 * The changes of a task as server-sent events: one `task` event now, one after each change, and the end of
 * the stream with the end of the task. A stream also ends when the instance drains.
 */
export function taskEvents(
  exchange: Exchange,
  queue: TaskQueue,
  task: Task,
  streams: EventStreams,
): Response {
  const controller = streams.open()
  const encoder = new TextEncoder()
  let heartbeat: ReturnType<typeof setInterval> | undefined
  let cancelled = false

  const body = new ReadableStream<Uint8Array>({
    async start(stream) {
      const send = (text: string): void => stream.enqueue(encoder.encode(text))
      send(`retry: ${retryMs}\n\n${eventOf(task)}`)
      heartbeat = setInterval(() => send(': still here\n\n'), heartbeatMs)
      try {
        if (!isEnded(task))
          for await (const changed of queue.watch(task.id, controller.signal)) {
            if (changed.updatedAt !== task.updatedAt || changed.status !== task.status) send(eventOf(changed))
          }
      } catch (error) {
        // The queue is away: the stream ends, the client asks again after `retryMs`, and is told then.
        if (!(error instanceof QueueUnavailable)) throw error
      } finally {
        clearInterval(heartbeat)
        if (!cancelled) stream.close()
        controller.abort()
      }
    },
    cancel() {
      cancelled = true
      clearInterval(heartbeat)
      controller.abort()
    },
  })
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  }
  return identify(exchange, new Response(body, { headers }))
}

/** JSON has no raw line breaks, so a task is one `data` line. */
function eventOf(task: Task): string {
  return `event: task\ndata: ${taskMembers(task).join('')}\n\n`
}
