import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectTls, haveOpenssl, makeCertificate } from '../../support/certificates.ts'
import type { LogLine } from '../../support/child-process.ts'
import { freePort } from '../../support/free-ports.ts'
import { get, HttpConnection } from '../../support/http-connection.ts'
import { isLinux } from '../../support/programs.ts'
import { type Service, type ServiceOptions, spawnService, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { findListening, isAlive, listChildren } from '../../support/worker-processes.ts'

// Faults of a supervisor and its processes, with real signals.
setDefaultTimeout(120_000)

/** Two processes that drain quickly, both started. */
async function startSupervisor(env: ServiceOptions['env'] = {}): Promise<Service> {
  const service = await startService({
    env: { WEB_CONCURRENCY: '2', DRAIN_QUIET: '200ms', ACCESS_LOG: 'false', ...env },
  })
  await service.log.line('supervising')
  return service
}

const find = (service: Service, msg: string): LogLine[] =>
  service.log.lines.filter((line) => line.msg === msg)

const rolled = (service: Service): Promise<LogLine> =>
  until(() => find(service, 'rolling restart finished')[0], { what: 'the end of the rolling restart' })

/** Uses a new connection. A process that was just killed may have received it. */
async function ask(port: number, path: string): Promise<{ status: number; body: string }> {
  using connection = await HttpConnection.open(port)
  connection.send(get(path))
  const response = await connection.next()
  return { status: response?.status ?? 0, body: response?.body ?? '' }
}

/** Waits until all processes run and the service reports that. */
async function untilComplete(service: Service): Promise<void> {
  await until(
    async () => {
      const { status, body } = await ask(service.port, '/ready')
      return status === 200 && JSON.parse(body).checks.processes === 'ok'
    },
    { what: 'all processes running' },
  )
  // A process's knowledge of the others may be one heartbeat old.
  await until(async () => (await listChildren(service.pid)).length === 2, { what: 'two processes' })
}

const stop = async (service: Service): Promise<void> => expect(await service.stop()).toBe(0)

// Uses /proc and signals, which only Linux has.
describe.skipIf(!isLinux())('a process is killed', () => {
  test('during a rolling restart, after it has taken the place of an old one', async () => {
    await using service = await startSupervisor({ DRAIN_MIN: '3s' })
    const old = await listChildren(service.pid)
    service.signal('SIGHUP')
    const fresh = await findListening(service, old)
    await until(() => find(service, 'draining').length > 0)
    process.kill(fresh, 'SIGKILL')
    expect(await rolled(service)).toMatchObject({ level: 'warn', processes: 2, died: 1 })
    expect(find(service, 'worker process exited, restarting')).toMatchObject([
      { worker_pid: fresh, signal: 'SIGKILL' },
    ])
    await untilComplete(service)
    const now = await listChildren(service.pid)
    expect(now.filter((pid) => old.includes(pid) || pid === fresh)).toEqual([])
    await stop(service)
  })

  test('during a rolling restart, before it listens', async () => {
    await using service = await startSupervisor()
    const old = await listChildren(service.pid)
    service.signal('SIGHUP')
    const fresh = await until(async () => (await listChildren(service.pid)).find((pid) => !old.includes(pid)))
    process.kill(fresh, 'SIGKILL')
    expect(await rolled(service)).toMatchObject({ processes: 2 })
    await untilComplete(service)
    expect((await listChildren(service.pid)).filter((pid) => old.includes(pid))).toEqual([])
  })

  test('during the start, when the first one listens and the second one does not', async () => {
    await using service = await startService({ env: { WEB_CONCURRENCY: '2', DRAIN_QUIET: '200ms' } })
    process.kill(await findListening(service), 'SIGKILL')
    await service.log.line('supervising')
    await untilComplete(service)
    await stop(service)
  })

  test('with all others at the same time', async () => {
    await using service = await startSupervisor()
    for (const pid of await listChildren(service.pid)) process.kill(pid, 'SIGKILL')
    await until(() => find(service, 'worker process started').length === 2)
    await untilComplete(service)
    await stop(service)
  })
})

describe.skipIf(!isLinux())('a process is suspended', () => {
  test('and replaced, while readiness reports that one is missing', async () => {
    const metricsPort = await freePort()
    await using service = await startSupervisor({
      HEARTBEAT_TIMEOUT: '6s',
      METRICS_PORT: String(metricsPort),
    })
    const readiness = async () => {
      const { status, body } = await ask(metricsPort, '/ready')
      return { status, processes: JSON.parse(body).checks.processes as string }
    }
    await until(async () => (await readiness()).processes === 'ok')
    const [hung] = await listChildren(service.pid)
    process.kill(hung as number, 'SIGSTOP')
    // The other one serves.
    expect(await until(async () => (await readiness()).processes === 'failing' && readiness())).toMatchObject(
      {
        status: 200,
      },
    )
    const killed = await until(() =>
      find(service, 'worker process killed').find((line) => line.worker_pid === hung),
    )
    expect(killed).toMatchObject({ cause: 'did not answer', level: 'error' })
    await until(async () => (await readiness()).processes === 'ok')
    await untilComplete(service)
    await stop(service)
  })

  test('before a rolling restart, and the others are killed during it', async () => {
    await using service = await startSupervisor({ HEARTBEAT_TIMEOUT: '5s' })
    const [hung, other] = (await listChildren(service.pid)) as [number, number]
    process.kill(hung, 'SIGSTOP')
    service.signal('SIGHUP')
    const fresh = await findListening(service, [hung, other])
    process.kill(other, 'SIGKILL')
    process.kill(fresh, 'SIGKILL')
    expect(await rolled(service)).toMatchObject({ level: 'warn', processes: 2 })
    await untilComplete(service)
    expect(await isAlive(hung)).toBe(false)
    await stop(service)
  })

  test('and killed by the shutdown, before its deadline', async () => {
    await using service = await startSupervisor({ HEARTBEAT_TIMEOUT: '1s' })
    const children = await listChildren(service.pid)
    process.kill(children[0] as number, 'SIGSTOP')
    // A request was lost, and the exit code reports that.
    expect(await service.stop()).toBe(1)
    for (const pid of children) expect(await isAlive(pid)).toBe(false)
  })
})

describe.skipIf(!isLinux())('a supervisor', () => {
  /** The port is free again: a server that does not share it can listen. */
  async function isFree(port: number): Promise<boolean> {
    try {
      await Bun.serve({ port, hostname: '127.0.0.1', reusePort: false, fetch: () => new Response() }).stop(
        true,
      )
      return true
    } catch {
      return false
    }
  }

  test.each(['while its processes serve', 'with a process that is suspended', 'during a rolling restart'])(
    'that is killed leaves no process on the port: %s',
    async (moment) => {
      await using service = await startSupervisor()
      const old = await listChildren(service.pid)
      if (moment.includes('suspended')) process.kill(old[0] as number, 'SIGSTOP')
      if (moment.includes('rolling')) {
        service.signal('SIGHUP')
        await findListening(service, old)
      }
      const children = await listChildren(service.pid)
      await service.kill()
      await until(async () => (await Promise.all(children.map(isAlive))).every((alive) => !alive))
      expect(await isFree(service.port)).toBe(true)
    },
  )

  test('that is killed while the first process starts leaves none', async () => {
    await using service = await spawnService({ env: { WEB_CONCURRENCY: '2' } })
    const [child] = await until(async () => {
      const children = await listChildren(service.pid)
      return children.length > 0 && children
    })
    await service.kill()
    await until(async () => !(await isAlive(child as number)))
  })

  test('that gets SIGTERM during its start ends its processes and exits 0', async () => {
    await using service = await spawnService({ env: { WEB_CONCURRENCY: '4', DRAIN_QUIET: '200ms' } })
    const listening = await findListening(service)
    expect(await service.stop()).toBe(0)
    expect(await isAlive(listening)).toBe(false)
    expect(service.log.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('answers a storm of SIGHUP with two rolling restarts, and loses nothing', async () => {
    await using service = await startSupervisor()
    const answers: number[] = []
    let isOver = false
    const client = (async () => {
      while (!isOver) answers.push((await ask(service.port, '/version')).status)
    })()
    service.signal('SIGHUP')
    await service.log.line('rolling restart started')
    for (let i = 0; i < 200; i++) service.signal('SIGHUP')
    await until(() => find(service, 'rolling restart finished').length === 2)
    isOver = true
    await client
    expect(answers.filter((status) => status !== 200)).toEqual([])
    await stop(service)
    expect(find(service, 'rolling restart started')).toHaveLength(2)
  })

  test('keeps its processes when new ones cannot start, and reports that', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tally-roll-'))
    const schema = join(directory, 'schema.json')
    await Bun.write(schema, '{"type":"object"}')
    await using service = await startSupervisor({ DATA_SCHEMA: schema })
    const old = await listChildren(service.pid)
    await Bun.write(schema, 'no JSON')
    service.signal('SIGHUP')
    const line = await service.log.line('rolling restart aborted: new process failed to start')
    expect(line.level).toBe('error')
    expect(find(service, 'rolling restart finished')).toEqual([])
    await untilComplete(service)
    expect((await listChildren(service.pid)).toSorted()).toEqual(old.toSorted())
    await rm(directory, { recursive: true })
  })
})

describe.skipIf(!isLinux() || !haveOpenssl())('a certificate is renewed', () => {
  async function startWithCertificate(directory: string) {
    const [first, second] = await Promise.all([makeCertificate('first'), makeCertificate('second')])
    const paths = { cert: join(directory, 'tls.crt'), key: join(directory, 'tls.key') }
    const schema = join(directory, 'schema.json')
    await Promise.all([
      Bun.write(paths.cert, first.cert),
      Bun.write(paths.key, first.key),
      Bun.write(schema, '{"type":"object"}'),
    ])
    const service = await startSupervisor({
      TLS_CERT: paths.cert,
      TLS_KEY: paths.key,
      DATA_SCHEMA: schema,
      FILE_WATCH_INTERVAL: '50ms',
    })
    return {
      service,
      schema,
      renew: async () => {
        await Bun.write(paths.key, second.key)
        await Bun.write(paths.cert, second.cert)
      },
    }
  }

  /** Waits until every process presents the second certificate, over enough connections to reach each of them. */
  async function untilRenewed(port: number): Promise<void> {
    await until(
      async () => {
        for (let i = 0; i < 20; i++) {
          using connection = await connectTls(port)
          if (connection.name !== 'second') return false
        }
        return true
      },
      { what: 'the new certificate', timeoutMs: 90_000 },
    )
  }

  test('by all processes, also when a new one is killed meanwhile', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tally-renewal-'))
    const { service, renew } = await startWithCertificate(directory)
    await using _ = service
    const old = await listChildren(service.pid)
    await renew()
    const fresh = await until(async () => (await listChildren(service.pid)).find((pid) => !old.includes(pid)))
    process.kill(fresh, 'SIGKILL')
    await rolled(service)
    await untilRenewed(service.port)
    await rm(directory, { recursive: true })
  })

  test('by all processes in the end, when new ones cannot start for a while', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tally-renewal-'))
    const { service, schema, renew } = await startWithCertificate(directory)
    await using _ = service
    await Bun.write(schema, 'no JSON')
    await renew()
    await service.log.line('rolling restart aborted: new process failed to start')
    await Bun.write(schema, '{"type":"object"}')
    await untilRenewed(service.port)
    await rm(directory, { recursive: true })
  })
})
