import { describe, expect, test } from 'bun:test'
import { get, HttpConnection } from '../../support/http-connection.ts'
import {
  type Balancer,
  type ClientKind,
  clientKinds,
  type Fates,
  runClients,
} from '../../support/load-clients.ts'
import { type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

/** How often to roll the processes; the long proof in docs/zero-loss.md uses RELOADS=100. */
const reloads = Number(process.env.RELOADS ?? 2)
const timeoutMs = 60_000 + reloads * 3_000

/** Several processes on a free port, which the first of them finds. */
const startProcesses = () =>
  startService({
    env: { WEB_CONCURRENCY: '2', DRAIN_QUIET: '1s', ACCESS_LOG: 'false', DEBUG_ROUTES: 'true' },
  })

const rolls = ({ log }: Service): number =>
  log.lines.filter(({ msg }) => msg === 'rolling restart finished').length

/** Restarts the processes one by one while clients send requests without a pause and without a proxy. */
async function reloadUnderLoad(kind: ClientKind): Promise<Fates> {
  await using service = await startProcesses()
  await until(() => service.log.lines.some(({ msg }) => msg === 'supervising'))
  const fates: Fates = { answered: 0, answeredWhileDraining: 0, refused: 0, cutWhileSending: 0, lost: [] }
  const stop = { admits: true, draining: false }
  const open: Balancer = {
    ...stop,
    watch: async () => {},
    get admits() {
      return stop.admits
    },
  }
  const clients = runClients(kind, service.port, open, fates)
  for (let i = 1; i <= reloads; i++) {
    service.signal('SIGHUP')
    await until(() => rolls(service) >= i)
  }
  stop.admits = false
  service.signal('SIGTERM')
  await clients
  expect(await service.exited).toBe(0)
  expect(service.log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  return fates
}

/**
 * Without RELOADS, only the two kinds that a reload affects most: clients that always reconnect, and clients that never
 * do.
 */
const eager = clientKinds
  .filter(({ name, path }) =>
    process.env.RELOADS === undefined
      ? ['kept-alive connections', 'a new connection for every request'].includes(name)
      : path === '/payload',
  )
  .map((kind) => ({ ...kind, pauseMs: kind.name.includes('new connection') ? () => 0 : kind.pauseMs }))

describe(`${reloads} reloads by SIGHUP lose no request and refuse no connection:`, () => {
  test.each(eager.map((kind) => [kind.name, kind] as const))(
    '%s',
    async (_name, kind) => {
      const { answered, refused, cutWhileSending, lost } = await reloadUnderLoad(kind)
      expect({ refused, cutWhileSending, lost }).toEqual({ refused: 0, cutWhileSending: 0, lost: [] })
      expect(answered).toBeGreaterThan(reloads)
      if (process.env.RELOADS !== undefined) console.log(`${kind.name}: ${answered} answered, 0 lost`)
    },
    timeoutMs,
  )
})

describe('several processes on one port', () => {
  test('are summed, including the requests of replaced processes', async () => {
    await using service = await startProcesses()
    await until(() => service.log.lines.some(({ msg }) => msg === 'supervising'))
    const ask = async (path: string): Promise<string> => {
      using connection = await HttpConnection.open(service.port)
      connection.send(get(path))
      return (await connection.next())?.body ?? ''
    }
    for (let i = 0; i < 20; i++) await ask('/version')
    service.signal('SIGHUP')
    await until(() => rolls(service) === 1)
    for (let i = 0; i < 20; i++) await ask('/version')
    const scrapes = await Promise.all(Array.from({ length: 4 }, () => ask('/metrics')))
    for (const scrape of scrapes) {
      expect(scrape).toContain('api_http_requests_total{method="GET",route="/version",status="200"} 40\n')
      expect(scrape).toContain('app_state{state="ready"} 2\n')
    }
  }, 30_000)

  test('one that crashes is replaced, and the others answer meanwhile', async () => {
    await using service = await startProcesses()
    await until(() => service.log.lines.some(({ msg }) => msg === 'supervising'))
    using connection = await HttpConnection.open(service.port)
    connection.send(get('/debug/crash'))
    expect((await connection.next())?.status).toBe(202)
    await until(() => service.log.lines.some(({ msg }) => msg === 'worker process started'))
    await service.log.line('worker process is shutting down by itself, replacing it')
    // The kernel chooses the process: also the one that is shutting down serves what it accepts, but is not ready.
    using another = await HttpConnection.open(service.port)
    another.send(get('/version'))
    expect((await another.next())?.status).toBe(200)
  }, 30_000)

  test('a reload before all processes have started begins once they have', async () => {
    // Resolves with the first process that listens, while the second one starts.
    await using service = await startProcesses()
    service.signal('SIGHUP')
    await until(() => rolls(service) === 1)
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
  }, 30_000)

  test('a single server shuts down properly when its terminal closes', async () => {
    await using service = await startService()
    service.signal('SIGHUP')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)?.msg).toBe('stopped')
  }, 30_000)

  test('a server that cannot start aborts the start of all, with its reason and an exit code', async () => {
    await using taken = await startService()
    const starting = startService({ env: { WEB_CONCURRENCY: '2', PORT: String(taken.port) } })
    expect(starting).rejects.toThrow()
  }, 30_000)
})
