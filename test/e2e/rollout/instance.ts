import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startService } from '../../support/service.ts'
import type { Guarded } from './guarded.ts'
import { type Program, programs } from './settings.ts'

/** How an instance ended. */
export interface InstanceEnd {
  readonly exitCode: number
  readonly seconds: number
}

/** One process of the service, from start to end. */
export interface Instance {
  /** `api-1-v2`: slot api-1, version v2. Instances of a run share neither names nor counters. */
  readonly name: string
  readonly slot: string
  readonly port: number
  /** The address for Prometheus. */
  readonly scrapePort: number
  /** Sends SIGTERM; resolves when the process is gone. */
  stop(): Promise<InstanceEnd>
  /** SIGSTOP: from now on it answers nothing, and its requests stay in flight. */
  pause(): void
  /** SIGKILL, also of a paused instance. */
  kill(): Promise<InstanceEnd>
  /** The number of `/payload` requests in its access log, by status; complete once the process is gone. */
  logged(): Promise<number>
}

/**
 * Starts one instance and waits until it is ready.
 *
 * Its drain window lasts at least 3 s: 0.7 s until the balancer sends nothing more, 1 s for the last response, and 1 s
 * for a last scrape, so that Prometheus's count is complete too.
 */
export async function startInstance(options: {
  directory: string
  slot: string
  version: string
  port: number
  /** Only for a guarded instance, whose own port requires TLS. No other test combines the two. */
  metricsPort: number
  program: Program
  guarded: Guarded | undefined
}): Promise<Instance> {
  const { slot, version, port, metricsPort, guarded } = options
  const name = `${slot}-${version}`
  const directory = join(options.directory, name)
  await mkdir(directory, { recursive: true })
  const { main, env } = programs[options.program]
  const logFile = join(directory, 'access.log')
  const service = await startService({
    program: main,
    env: {
      PORT: String(port),
      INSTANCE_NAME: name,
      SERVICE_VERSION: version,
      DATA_DIR: directory,
      DRAIN_MIN: '3s',
      ...(guarded !== undefined && { ...guarded.env, METRICS_PORT: String(metricsPort) }),
      ...env,
    },
    logFile,
  })

  const end = async (signal: NodeJS.Signals): Promise<InstanceEnd> => {
    const startedAt = performance.now()
    service.signal(signal)
    const exitCode = await service.exited
    return { exitCode, seconds: (performance.now() - startedAt) / 1_000 }
  }
  return {
    name,
    slot,
    port,
    scrapePort: guarded === undefined ? port : metricsPort,
    stop: () => end('SIGTERM'),
    pause: () => service.signal('SIGSTOP'),
    kill: () => end('SIGKILL'),
    logged: async () => countPayloadRequests(await Bun.file(logFile).text()),
  }
}

/**
 * The `/payload` requests in an access log.
 *
 * @example countPayloadRequests('{"msg":"request","route":"/payload","status":200}\n{"msg":"stopped"}\n') // 1
 */
export function countPayloadRequests(log: string): number {
  return log.match(/"route":"\/payload"/g)?.length ?? 0
}
