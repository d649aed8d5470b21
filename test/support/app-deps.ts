import { type DocumentStore, StoreUnavailable } from '../../src/documents/document-store.ts'
import type { AppDeps } from '../../src/http/app.ts'
import { createChecks, createLifecycle } from '../../src/lifecycle/index.ts'
import { QueueUnavailable, type TaskQueue } from '../../src/tasks/task-queue.ts'
import { createBufferedWriter } from '../../src/telemetry/log/buffered-writer.ts'
import { createLog } from '../../src/telemetry/log/log.ts'
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts'
import { analysisThreads, documentChecker } from './analysis-pool.ts'

const away = (): Promise<never> => Promise.reject(new StoreUnavailable(1, {}))

/** An unavailable store. Tests that need documents pass a real one. */
const absentStore: DocumentStore = {
  create: away,
  get: away,
  list: away,
  measure: away,
  replace: away,
  delete: away,
  ping: away,
  close: () => Promise.resolve(),
}

const queueAway = (): Promise<never> => Promise.reject(new QueueUnavailable(1, {}))

/** An unavailable queue. Tests that need tasks pass a real one. */
export const absentQueue: TaskQueue = {
  enqueue: queueAway,
  find: queueAway,
  list: queueAway,
  retry: queueAway,
  retryFailed: queueAway,
  cancel: queueAway,
  stats: queueAway,
  setPaused: queueAway,
  watch: () => ({ [Symbol.asyncIterator]: () => ({ next: queueAway }) }),
  depth: queueAway,
  consume: () => ({
    claimError: undefined,
    activeCount: 0,
    pause: () => {},
    finish: () => Promise.resolve(),
    release: () => Promise.resolve([]),
  }),
  ping: queueAway,
  durability: queueAway,
  close: () => Promise.resolve(),
}

/** The dependencies of a complete service that listens nowhere. It logs to `lines`. */
export function appDeps(changes: Partial<AppDeps> = {}, lines: string[] = []): AppDeps {
  const lifecycle = createLifecycle()
  lifecycle.markReady()
  const build = { service: 'tally', version: '0.0.0-test', revision: 'test' }
  const backends = { store: 'sqlite', queue: 'sqlite' } as const
  return {
    build,
    backends,
    instance: 'instance-1',
    lifecycle,
    checks: createChecks([]),
    metrics: createMetrics({
      prefix: 'api_',
      role: 'server',
      build,
      backends,
      sources: {
        state: () => lifecycle.state.name,
        inFlight: () => 0,
        servedWhileDraining: () => 0,
        logLinesDropped: () => 0,
        spansDropped: () => 0,
      },
    }),
    log: createLog({
      level: 'debug',
      format: 'json',
      service: 'tally',
      instance: 'instance-1',
      process: { role: 'server', pid: 1 },
      writer: createBufferedWriter({ write: (chunk) => lines.push(chunk), flush: () => {} }),
    }),
    store: absentStore,
    queue: absentQueue,
    pool: analysisThreads(),
    checker: documentChecker(),
    limits: {
      maxNumbers: 1_000_000,
      maxTextLength: 1_000_000,
      maxBodyBytes: 32 * 2 ** 20,
      maxBufferedBytes: 256 * 2 ** 20,
      maxDocumentBytes: 2 ** 20,
    },
    requestTimeoutMs: 30_000,
    validationStatus: 400,
    accessLog: true,
    debugRoutes: false,
    ...changes,
  }
}
