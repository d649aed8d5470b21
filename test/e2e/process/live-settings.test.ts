import { describe, expect, test } from 'bun:test'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogLine } from '../../support/child-process.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { HttpConnection } from '../../support/http-connection.ts'
import { type Service, type ServiceOptions, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

const env = { METRICS_PORT: '0', DRAIN_QUIET: '0s', FILE_WATCH_INTERVAL: '20ms' }
const payload = JSON.stringify(examplePayload)

async function operationsPortOf(service: Service): Promise<number> {
  return Number(new URL(String((await service.log.line('admin server listening')).url)).port)
}

/** Uses a new connection, so that the kernel chooses among several processes each time. */
async function ask(port: number, method: string, path: string, body = '') {
  using connection = await HttpConnection.open(port)
  connection.send(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  )
  const response = await connection.next()
  return { status: response?.status, body: response?.body ?? '' }
}

/** The statuses of enough requests to reach every process. */
async function statusesOf(port: number, method: string, path: string, body?: string) {
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask(port, method, path, body)))
  return [...new Set(answers.map(({ status }) => status))]
}

/**
 * A file like in a mounted ConfigMap: a link into `..data`, itself a link to a directory of one version, which a rename
 * replaces.
 */
async function mountedFile(text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'tally-config-'))
  let version = 0
  const swap = async (next: string): Promise<void> => {
    version++
    await Bun.write(join(folder, `..v${version}`, 'live.json'), next)
    await symlink(`..v${version}`, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
    if (version > 1) await rm(join(folder, `..v${version - 1}`), { recursive: true })
  }
  await swap(text)
  await symlink('..data/live.json', join(folder, 'live.json'))
  return { path: join(folder, 'live.json'), swap, remove: () => rm(folder, { recursive: true }) }
}

const changesIn = ({ log }: Service): LogLine[] => log.lines.filter(({ msg }) => msg === 'settings changed')

describe.each([
  ['a server', 'src/main.ts'],
  ['a worker', 'src/worker.ts'],
])('%s', (_name, program) => {
  test('logs at debug after SIGUSR2, and at the previous level after another', async () => {
    await using service = await startService({ program, env })
    const probes = () => service.log.lines.filter(({ route }) => route === '/health').length
    for (const [changes, level, logged] of [
      [1, 'debug', 1],
      [2, 'info', 1],
      [3, 'debug', 2],
    ] as const) {
      service.signal('SIGUSR2')
      await until(() => changesIn(service).length === changes)
      expect(changesIn(service).at(-1)).toMatchObject({ by: 'SIGUSR2', log_level: level })
      await ask(service.port, 'GET', '/health')
      if (level === 'debug') await until(() => probes() === logged)
    }
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
    expect(probes()).toBe(2)
  }, 30_000)

  test('leaves and rejoins the rotation through METRICS_PORT', async () => {
    await using service = await startService({ program, env })
    const operationsPort = await operationsPortOf(service)
    for (const [action, status] of [
      ['disable', 503],
      ['enable', 200],
    ] as const) {
      expect((await ask(service.port, 'POST', `/ready/${action}`)).status).toBe(404)
      expect((await ask(operationsPort, 'POST', `/ready/${action}`)).status).toBe(200)
      for (const port of [service.port, operationsPort])
        expect((await ask(port, 'GET', '/ready')).status).toBe(status)
    }
    await until(() => changesIn(service).length === 2)
    expect(changesIn(service)).toMatchObject([{ enabled: false }, { enabled: true }])
  }, 30_000)
})

describe.each([
  ['a server', {}],
  ['a worker', { program: 'src/worker.ts' }],
  ['several processes', { env: { WEB_CONCURRENCY: '2' } }],
])('CONFIG_FILE of %s', (name, options: ServiceOptions) => {
  test('is followed when Kubernetes swaps it, and ignored when it is invalid', async () => {
    const mount = await mountedFile('{"log_level": "debug"}')
    await using service = await startService({
      ...options,
      env: { ...env, ...options.env, CONFIG_FILE: mount.path },
    })
    await until(() => changesIn(service).length === 1)
    const operationsPort = await operationsPortOf(service)
    const level = async () => JSON.parse((await ask(operationsPort, 'GET', '/admin/log-level')).body).level
    expect(await level()).toBe('debug')

    await mount.swap('{"log_level": "verbose"}')
    const problem = await service.log.line('CONFIG_FILE reload failed, keeping the current settings')
    expect(JSON.stringify(problem)).toContain('log_level')
    expect(await level()).toBe('debug')

    await mount.swap('{"faults": {"error_rate": 1, "error_status": 500}}')
    await until(() => changesIn(service).length === 2)
    expect(changesIn(service)).toMatchObject([
      { by: 'CONFIG_FILE', log_level: 'debug' },
      { by: 'CONFIG_FILE', log_level: 'info', faults: { error_rate: 1, error_status: 500 } },
    ])
    expect(await level()).toBe('info')
    // Of several processes, the last may follow after the log line.
    if (name !== 'a worker')
      await until(async () =>
        Bun.deepEquals(await statusesOf(service.port, 'POST', '/payload', payload), [500]),
      )
    await mount.remove()
  }, 30_000)
})

test('a missing CONFIG_FILE does not prevent the start and is used once it exists', async () => {
  const mount = await mountedFile('{}')
  const path = join(mount.path, '../later.json')
  await using service = await startService({ env: { ...env, CONFIG_FILE: path } })
  await service.log.line('CONFIG_FILE reload failed, keeping the current settings')
  await Bun.write(path, '{"log_level": "error"}')
  await until(() => changesIn(service).length === 1)
  await mount.remove()
}, 30_000)

test('several processes follow one change, including those started later', async () => {
  await using service = await startService({ env: { ...env, WEB_CONCURRENCY: '2' } })
  const operationsPort = await operationsPortOf(service)
  await service.log.line('supervising')
  const change = async (method: string, path: string, body?: string) =>
    expect({ path, ...(await ask(operationsPort, method, path, body)) }).toMatchObject({ path, status: 200 })

  await change('POST', '/ready/disable')
  await change('PUT', '/admin/faults', '{"error_rate": 1, "error_status": 500}')
  const expectAll = async (ready: number, answered: number) => {
    expect(await statusesOf(service.port, 'GET', '/ready')).toEqual([ready])
    expect(await statusesOf(service.port, 'POST', '/payload', payload)).toEqual([answered])
  }
  await expectAll(503, 500)
  service.signal('SIGHUP')
  await service.log.line('rolling restart finished')
  await expectAll(503, 500)
  await change('POST', '/ready/enable')
  await change('DELETE', '/admin/faults')
  await expectAll(200, 200)

  const metrics = (await ask(operationsPort, 'GET', '/metrics')).body
  expect(metrics).toContain('api_injected_faults_total{fault="error"} 60\n')
  await until(() => service.log.lines.filter(({ fault }) => fault === 'error').length === 60)

  service.signal('SIGUSR2')
  await until(() => changesIn(service).at(-1)?.log_level === 'debug')
  await statusesOf(service.port, 'GET', '/health')
  await until(() => service.log.lines.filter(({ route }) => route === '/health').length === 30)
  // One line per change, for any number of processes.
  expect(changesIn(service)).toHaveLength(5)
  service.signal('SIGTERM')
  expect(await service.exited).toBe(0)
}, 30_000)
