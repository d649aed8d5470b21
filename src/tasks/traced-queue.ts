import type { Span, Tracing } from '../telemetry/tracing/tracing.ts'
import type { ConsumeOptions, Consumer, RunReport, TaskHandler, TaskQueue } from './task-queue.ts'

const queueName = 'tasks'

/**
 * The same queue, in traces: a task carries where it was accepted to whoever runs it, in whatever process, so that the
 * run, the analysis in it and the recording of its result stand under the request that asked for it.
 *
 * @param system the queue's server, as OpenTelemetry's semantic conventions name it
 */
export function traceTaskQueue(
  queue: TaskQueue,
  system: 'sqlite' | 'postgresql' | 'redis',
  tracing: Tracing,
): TaskQueue {
  const attributes = { 'messaging.system': system, 'messaging.destination.name': queueName }
  const call = <T>(operation: string, work: () => Promise<T>): Promise<T> =>
    tracing.trace(
      `${operation} ${queueName}`,
      { kind: 'client', attributes: { ...attributes, 'messaging.operation.name': operation } },
      work,
    )

  return {
    enqueue: (payload, idempotency) =>
      tracing.trace(
        `send ${queueName}`,
        { kind: 'producer', attributes: { ...attributes, 'messaging.operation.name': 'send' } },
        () => queue.enqueue(payload, idempotency, tracing.traceparent()),
      ),
    find: (id) => call('find', () => queue.find(id)),
    list: (request) => call('list', () => queue.list(request)),
    retry: (id) => call('retry', () => queue.retry(id)),
    watch: (id, signal) => queue.watch(id, signal),
    consume: (handler, options) => consumeTraced(queue, handler, options, attributes, tracing),
    // Probes and scrapes ask these again and again: no trace.
    depth: () => queue.depth(),
    ping: () => queue.ping(),
    durability: () => queue.durability(),
    close: () => queue.close(),
  }
}

/** A run in progress: the whole, and within it the recording of its outcome once the handler is done. */
interface Run {
  readonly whole: Span
  recording: Span | undefined
}

function consumeTraced(
  queue: TaskQueue,
  handler: TaskHandler,
  options: ConsumeOptions,
  attributes: Readonly<Record<string, string>>,
  tracing: Tracing,
): Consumer {
  // A consumer has a task once at a time.
  const runs = new Map<string, Run>()

  const traced: TaskHandler = async (task, context) => {
    const whole = tracing.startSpan(`process ${queueName}`, {
      kind: 'consumer',
      parent: task.traceparent === undefined ? undefined : { traceparent: task.traceparent },
      attributes: {
        ...attributes,
        'messaging.operation.name': 'process',
        'messaging.message.id': task.id,
        'tally.task.attempt': task.attempts,
      },
    })
    const run: Run = { whole, recording: undefined }
    runs.set(task.id, run)
    return await tracing.withSpan(whole, async () => {
      try {
        return await tracing.trace('analysis', {}, () => handler(task, context))
      } finally {
        run.recording = tracing.startSpan(`record ${queueName}`, { kind: 'client', attributes })
      }
    })
  }

  const onRunEnd = (report: RunReport): void => {
    const run = runs.get(report.task.id)
    runs.delete(report.task.id)
    if (run === undefined) {
      options.onRunEnd?.(report)
      return
    }
    run.recording?.end()
    run.whole.set({ 'tally.task.outcome': report.outcome })
    if (report.error !== undefined) run.whole.fail(report.error)
    // What is logged about the run belongs to it.
    tracing.withSpan(run.whole, () => options.onRunEnd?.(report))
    run.whole.end()
  }

  return queue.consume(traced, { ...options, onRunEnd })
}
