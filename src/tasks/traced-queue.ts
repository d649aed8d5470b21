import type { Span, Tracing } from '../telemetry/tracing/tracing.ts'
import type { ConsumeOptions, Consumer, RunReport, TaskHandler, TaskQueue } from './task-queue.ts'

const queueName = 'tasks'

/**
 * Traces every call of a queue. A task carries the trace context in which it was accepted to the process that runs it,
 * so the run, the analysis in it and the recording of its result belong to the request that created the task.
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
    enqueue: (task, idempotency) =>
      tracing.trace(
        `send ${queueName}`,
        { kind: 'producer', attributes: { ...attributes, 'messaging.operation.name': 'send' } },
        () => queue.enqueue({ ...task, traceparent: tracing.traceparent() }, idempotency),
      ),
    find: (id) => call('find', () => queue.find(id)),
    list: (request) => call('list', () => queue.list(request)),
    retry: (id) => call('retry', () => queue.retry(id)),
    retryFailed: (limit) => call('retry', () => queue.retryFailed(limit)),
    cancel: (id) => call('cancel', () => queue.cancel(id)),
    setPaused: (paused) => call(paused ? 'pause' : 'resume', () => queue.setPaused(paused)),
    watch: (id, signal) => queue.watch(id, signal),
    consume: (handler, options) => consumeTraced(queue, handler, options, attributes, tracing),
    // Not traced, because probes and scrapes call them constantly.
    depth: () => queue.depth(),
    stats: () => queue.stats(),
    ping: () => queue.ping(),
    durability: () => queue.durability(),
    close: () => queue.close(),
  }
}

/** The spans of a run: the whole run, and within it the recording of its outcome after the handler has ended. */
interface RunSpans {
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
  // By task id: a consumer runs a task only once at a time.
  const runs = new Map<string, RunSpans>()

  const traced: TaskHandler = async (task, context) => {
    const whole = tracing.startSpan(`process ${queueName}`, {
      kind: 'consumer',
      parent: task.traceparent === undefined ? undefined : { traceparent: task.traceparent },
      attributes: {
        ...attributes,
        'messaging.operation.name': 'process',
        'messaging.message.id': task.id,
        'tally.task.kind': task.kind,
        'tally.task.attempt': task.attempts,
      },
    })
    const run: RunSpans = { whole, recording: undefined }
    runs.set(task.id, run)
    return await tracing.withSpan(whole, async () => {
      try {
        return await tracing.trace(task.kind, {}, () => handler(task, context))
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
    // Logs about the run belong to its span.
    tracing.withSpan(run.whole, () => options.onRunEnd?.(report))
    run.whole.end()
  }

  return queue.consume(traced, { ...options, onRunEnd })
}
