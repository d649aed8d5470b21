import { join, resolve } from 'node:path'
import { spawnChild } from '../../support/child-process.ts'
import { until } from '../../support/until.ts'

export const balancerConfig = resolve(import.meta.dir, '../../../deploy/haproxy/haproxy.cfg')

/** The only line that differs if instances use TLS. */
const withTls = (config: string): string =>
  config.replaceAll('\n  balance leastconn\n', '\n  balance leastconn\n  default-server ssl verify none\n')

/** The configuration without the protections between clients, for a control. */
const withoutIsolation = (config: string): string =>
  config.replace('  option http-buffer-request\n', '').replace(/^ {2}use_backend .*\n/m, '')

const variants = { tls: withTls, shared: withoutIsolation } as const

/**
 * Writes a variant of the shipped configuration. @throws Error if nothing changed, because the shipped text is
 * different
 */
async function writeVariant(directory: string, change: (config: string) => string): Promise<string> {
  const shipped = await Bun.file(balancerConfig).text()
  const changed = change(shipped)
  if (changed === shipped) throw new Error('haproxy.cfg does not have the lines that a variant changes')
  const file = join(directory, 'haproxy.cfg')
  await Bun.write(file, changed)
  return file
}

/** The balancer's view of one instance. */
export interface ServerState {
  /** `UP`, `DOWN`, `UP 1/2` on the way down, `DOWN 1/2` on the way up, `MAINT (resolution)`. */
  readonly status: string
  /** Requests in flight to the instance. */
  readonly inFlight: number
}

/** The backends of deploy/haproxy/haproxy.cfg. The first one checks the instances; both send requests to them. */
const backends = ['api', 'api-apart']

/**
 * The instances' states from HAProxy's statistics as CSV, by slot.
 *
 * @example parseServerStates('# pxname,svname,scur,status\napi,api-1,2,UP\n').get('api-1')
 *   // { status: 'UP', inFlight: 2 }
 */
export function parseServerStates(csv: string): Map<string, ServerState> {
  const [head = '', ...rows] = csv.trim().split('\n')
  const columns = head.replace(/^# /, '').split(',')
  const states = new Map<string, ServerState>()
  for (const row of rows) {
    const cells = row.split(',')
    const cell = (name: string): string => cells[columns.indexOf(name)] ?? ''
    const name = cell('svname')
    if (!backends.includes(cell('pxname')) || name === 'BACKEND') continue
    const before = states.get(name)
    states.set(name, {
      status: before?.status ?? cell('status'),
      inFlight: (before?.inFlight ?? 0) + Number(cell('scur')),
    })
  }
  return states
}

/** Asks a running HAProxy. */
export async function readServerStates(statsUrl: string): Promise<Map<string, ServerState>> {
  const response = await fetch(`${statsUrl}/;csv`, { signal: AbortSignal.timeout(2_000) })
  return parseServerStates(await response.text())
}

export interface Balancer {
  readonly url: string
  readonly statsUrl: string
  states(): Promise<Map<string, ServerState>>
  /** Resolves when the balancer sends requests to the slot. */
  untilUp(slot: string): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts HAProxy with the shipped configuration.
 *
 * @param slotPorts the port of each slot on 127.0.0.1, used or not
 * @param retries how often to retry a connection that could not be opened
 * @param variant `tls`: the instances use TLS. `shared`: without the protections between clients.
 */
export async function startBalancer(options: {
  directory: string
  port: number
  statsPort: number
  slotPorts: readonly number[]
  retries: number
  variant?: keyof typeof variants | undefined
}): Promise<Balancer> {
  const { directory, port, statsPort, slotPorts, retries, variant } = options
  const config = variant === undefined ? balancerConfig : await writeVariant(directory, variants[variant])
  const slots = slotPorts.map((slotPort, index) => [`API_${index + 1}`, `127.0.0.1:${slotPort}`])
  const program = spawnChild({
    detached: true,
    command: ['haproxy', '-db', '-f', config],
    env: {
      BALANCER_ADDRESS: `127.0.0.1:${port}`,
      BALANCER_STATS_ADDRESS: `127.0.0.1:${statsPort}`,
      BALANCER_RETRIES: String(retries),
      ...Object.fromEntries(slots),
    },
    output: { file: join(directory, 'balancer.log') },
  })
  const statsUrl = `http://127.0.0.1:${statsPort}`
  const states = (): Promise<Map<string, ServerState>> => readServerStates(statsUrl)
  await until(async () => (await states()).size > 0, {
    what: 'the balancer to answer',
    intervalMs: 50,
  })
  return {
    url: `http://127.0.0.1:${port}`,
    statsUrl,
    states,
    async untilUp(slot) {
      await until(
        async () => {
          return (await states()).get(slot)?.status === 'UP'
        },
        { what: `${slot} to be up in the balancer`, timeoutMs: 20_000, intervalMs: 50 },
      )
    },
    async stop() {
      program.signal('SIGTERM')
      await program.exited
    },
  }
}
