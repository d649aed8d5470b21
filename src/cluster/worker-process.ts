import type { Registry } from 'prom-client'
import { type Checks, type Lifecycle, openSteering } from '../lifecycle/index.ts'
import type { ChangeSettings, RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import {
  type FromWorker,
  type PrimaryRequest,
  type PrimaryResponses,
  type QueueCall,
  type QueueCallResponse,
  type SteerRequest,
  snapshotMetrics,
  type ToWorker,
  type WorkerRequest,
  type WorkerResponses,
} from './messages.ts'
import { RpcClient } from './rpc-client.ts'

/** How often a process sends its metrics, in ms: the counts that a SIGKILL can lose. */
const metricsIntervalMs = 1_000

/** How long a scrape waits for the metrics of all processes, in ms. Then it responds with those of this process. */
const scrapeTimeoutMs = 2_000

/** How long a change may take until it is applied in all processes, in ms. */
const changeTimeoutMs = 2_000

/** The connection of a worker process to the primary process, which runs the supervisor. */
export interface PrimaryConnection {
  /** The metrics of all processes, in the text format. */
  scrape(): Promise<string>
  /** Resolves when this process has applied the settings of the supervisor. */
  readonly settingsApplied: Promise<void>
  /**
   * Changes the settings of all processes.
   *
   * @throws when the supervisor does not respond
   */
  readonly change: ChangeSettings
}

export interface WorkerProcessOptions {
  readonly lifecycle: Lifecycle
  readonly registry: Registry
  readonly checks: Checks
  readonly settings: RuntimeSettings
  /** Writes a heap snapshot of this process into a file. */
  readonly writeHeapSnapshot: (path: string) => Promise<void>
  /** Answers what an operator asks of the task queue. */
  readonly handleQueueCall: (call: QueueCall) => Promise<QueueCallResponse>
  /** The port that this process listens on. */
  readonly port: number
}

/**
 * Connects a worker process to its supervisor: reports that this process listens, sends its metrics, and handles the
 * requests of the supervisor.
 *
 * @param onDisconnect called when the primary process is gone: the place to begin the shutdown
 */
export function connectToPrimary(options: WorkerProcessOptions, onDisconnect: () => void): PrimaryConnection {
  const { lifecycle, registry, port } = options
  const settingsApplied = Promise.withResolvers<void>()
  const client = new RpcClient<PrimaryRequest, PrimaryResponses>(send)
  const sendMetrics = async (): Promise<void> =>
    send({ type: 'metrics', snapshot: await snapshotMetrics(registry) })

  process.on('message', async (message: ToWorker) => {
    if (message.type === 'response') return client.handleResponse(message)
    const { id, request } = message
    send({ type: 'response', id, response: await handleRequest(request, options) })
    if (request.kind === 'apply-settings') settingsApplied.resolve()
  })
  process.on('disconnect', onDisconnect)
  setInterval(() => void sendMetrics(), metricsIntervalMs).unref()
  lifecycle.onClose('metrics', sendMetrics)
  send({ type: 'listening', port })

  return {
    settingsApplied: settingsApplied.promise,
    async change(change, by) {
      const changed = await client.request({ kind: 'change-settings', change, by }, changeTimeoutMs)
      if (changed === undefined)
        throw new Error('the supervisor did not respond: the settings of the processes may differ')
    },
    async scrape() {
      const snapshot = await snapshotMetrics(registry)
      return (await client.request({ kind: 'scrape', snapshot }, scrapeTimeoutMs)) ?? registry.metrics()
    },
  }
}

function send(message: FromWorker): void {
  if (process.connected) process.send?.(message)
}

async function handleRequest(
  request: WorkerRequest,
  { registry, checks, settings, writeHeapSnapshot, handleQueueCall, port }: WorkerProcessOptions,
): Promise<WorkerResponses[WorkerRequest['kind']]> {
  switch (request.kind) {
    case 'metrics':
      return await snapshotMetrics(registry)
    case 'checks':
      return await checks.results()
    case 'apply-settings':
      await settings.apply(request.settings)
      return null
    case 'heap-snapshot':
      return await writeHeapSnapshot(request.path).then(() => null, String)
    case 'queue':
      return await handleQueueCall(request.call)
    case 'exclude-listener':
    case 'reset-steering':
      return steer(port, request)
  }
}

/** @returns what failed, or null */
function steer(port: number, request: SteerRequest): string | null {
  try {
    const steering = openSteering(port)
    if (request.kind === 'exclude-listener') steering.exclude(request.index, request.size)
    else steering.reset()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
