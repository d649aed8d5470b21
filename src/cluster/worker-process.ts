import type { Registry } from 'prom-client'
import { type CheckResult, type Checks, type Lifecycle, openSteering } from '../lifecycle/index.ts'
import type { ChangeSettings, RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import {
  type FromWorker,
  type Heartbeat,
  heapSnapshotTimeoutMs,
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

/** How long after its last heartbeat the supervisor counts as unresponsive, in ms. It sends one heartbeat a second. */
const supervisorTimeoutMs = 15_000

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
  /**
   * Whether all processes run, and whether the supervisor responds, as known from its heartbeats. Neither is required: this
   * process serves.
   */
  checks(): Record<string, CheckResult>
  /** Runs work that keeps this process from answering heartbeats for up to `maxMs`. */
  whileBusy<Result>(maxMs: number, work: () => Promise<Result>): Promise<Result>
}

export interface WorkerProcessOptions {
  readonly lifecycle: Lifecycle
  readonly registry: Registry
  readonly checks: Checks
  readonly settings: RuntimeSettings
  /** Writes a heap snapshot of this process into a file. */
  readonly writeHeapSnapshot: (path: string) => Promise<void>
  /** Answers an operator's calls of the task queue. */
  readonly handleQueueCall: (call: QueueCall) => Promise<QueueCallResponse>
  /** The port that this process listens on. */
  readonly port: number
}

/**
 * Connects a worker process to its supervisor: reports that this process listens, answers heartbeats, sends its metrics,
 * and handles the requests of the supervisor.
 */
export function connectToPrimary(options: WorkerProcessOptions): PrimaryConnection {
  const { lifecycle, registry, port } = options
  const settingsApplied = Promise.withResolvers<void>()
  const client = new RpcClient<PrimaryRequest, PrimaryResponses>(send)
  const sendMetrics = async (): Promise<void> =>
    send({ type: 'metrics', snapshot: await snapshotMetrics(registry) })
  let last: { readonly heartbeat: Heartbeat; readonly at: number } | undefined
  const handleHeartbeat = async (heartbeat: Heartbeat): Promise<void> => {
    last = { heartbeat, at: performance.now() }
    send({ type: 'heartbeat' })
    // With the heartbeat instead of a separate timer: a supervisor that does not read must not fill the channel.
    await sendMetrics()
  }

  process.on('message', async (message: ToWorker) => {
    if (message.type === 'heartbeat') return await handleHeartbeat(message)
    if (message.type === 'response') return client.handleResponse(message)
    const { id, request } = message
    send({ type: 'response', id, response: await handleRequest(request, options) })
    if (request.kind === 'apply-settings') settingsApplied.resolve()
  })
  lifecycle.subscribe((event) => {
    if (event.type === 'state' && event.state.name === 'draining' && event.state.phase === 'window')
      send({ type: 'draining' })
  })
  lifecycle.onClose('metrics', sendMetrics)
  send({ type: 'listening', port })

  return {
    settingsApplied: settingsApplied.promise,
    async change(change, by) {
      const changed = await client.request({ kind: 'change-settings', change, by }, changeTimeoutMs)
      if (changed === undefined)
        throw new Error('the supervisor did not respond: the settings of the processes may differ')
    },
    checks: () => (last === undefined ? {} : describeSupervisor(last.heartbeat, performance.now() - last.at)),
    whileBusy,
    async scrape() {
      const snapshot = await snapshotMetrics(registry)
      return (await client.request({ kind: 'scrape', snapshot }, scrapeTimeoutMs)) ?? registry.metrics()
    },
  }
}

async function whileBusy<Result>(maxMs: number, work: () => Promise<Result>): Promise<Result> {
  send({ type: 'busy', forMs: maxMs })
  try {
    return await work()
  } finally {
    send({ type: 'busy', forMs: 0 })
  }
}

function describeSupervisor({ running, count }: Heartbeat, ageMs: number): Record<string, CheckResult> {
  return {
    processes: { status: running >= count ? 'ok' : 'failing', required: false },
    supervisor: { status: ageMs < supervisorTimeoutMs ? 'ok' : 'failing', required: false },
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
      return await whileBusy(heapSnapshotTimeoutMs, () => writeHeapSnapshot(request.path)).then(
        () => null,
        String,
      )
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
