import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { TaskJson } from '../../http/routes/task-json.ts'
import { client } from './client.ts'
import { expectOk } from './problem.ts'

const endedStatuses: readonly TaskJson['status'][] = ['completed', 'failed', 'cancelled']

/** Whether a task changes only when a user asks for it. */
export const isEnded = ({ status }: Pick<TaskJson, 'status'>): boolean => endedStatuses.includes(status)

/** How soon a stream that ended before its task is opened again, in ms, unless the service says otherwise. */
const defaultRetryMs = 1_000

/**
 * Each state of a task until it ends. A stream that ends earlier, as it does when its instance drains, is opened again.
 * Read by `fetch`: an `EventSource` can send no key.
 *
 * @throws RequestFailed when the service refuses
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
