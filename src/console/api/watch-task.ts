import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { TaskJson } from '../../http/routes/task-json.ts'
import { client } from './client.ts'
import { expectOk } from './problem.ts'

const endedStatuses: readonly TaskJson['status'][] = ['completed', 'failed', 'cancelled']

/** Whether a task changes only on request of a user. */
export const isEnded = ({ status }: Pick<TaskJson, 'status'>): boolean => endedStatuses.includes(status)

/** Delay before a stream that ended too early is reopened, in ms, unless the service sets one. */
const defaultRetryMs = 1_000

/**
 * Yields each state of a task until it ends. Reopens a stream that ends earlier, as it does when its instance drains.
 * Uses `fetch`, because an `EventSource` cannot send a key.
 *
 * @throws RequestFailed if the service refuses
 */
export async function* watchTask(id: string, signal: AbortSignal): AsyncGenerator<TaskJson> {
  let retryMs = defaultRetryMs
  while (!signal.aborted) {
    const response = await expectOk(client.tasks[':id'].events.$get({ param: { id } }, { init: { signal } }))
    const events = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(
        new EventSourceParserStream({
          onRetry: (ms) => {
            retryMs = ms
          },
        }),
      )
      .getReader()
    for (;;) {
      const { done, value } = await events.read()
      if (done) break
      const task = JSON.parse(value.data) as TaskJson
      yield task
      if (isEnded(task)) return
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs))
  }
}
