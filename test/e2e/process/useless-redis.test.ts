import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { haveRedis, type RedisServer, startRedis } from '../../support/redis.ts'
import { noDrainWindow, type Service, startService } from '../../support/service.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(120_000)

/** A service with its tasks and rate limits on a Redis. */
const startOn = (url: string): Promise<Service> =>
  startService({ env: { ...noDrainWindow, REDIS_URL: url, RATE_LIMIT: '1000000/1h' } })

async function post({ url }: Service): Promise<{ status: number; id: string; limit: string | null }> {
  const response = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"payload":"some text"}',
  })
  const { task_id } = (await response.json()) as { task_id: string }
  return { status: response.status, id: task_id, limit: response.headers.get('ratelimit') }
}

const status = async ({ url }: Service, id: string): Promise<string> =>
  ((await (await fetch(`${url}/tasks/${id}`)).json()) as { task: { status: string } }).task.status

const queueCheck = async ({ url }: Service): Promise<string> =>
  ((await (await fetch(`${url}/ready`)).json()) as { checks: { queue: string } }).checks.queue

/** Posts until a task is accepted after a rate check, and waits until it has completed. */
async function completesTask(service: Service): Promise<string> {
  const { id } = await until(async () => {
    const posted = await post(service)
    return posted.status === 201 && posted.limit !== null && posted
  })
  await until(async () => (await status(service, id)) === 'completed')
  return id
}

/** Waits until tasks are rejected, and the check and the log report why. */
async function showsFailure(service: Service, cause: RegExp): Promise<void> {
  await until(async () => (await queueCheck(service)) === 'failing')
  await until(async () => (await post(service)).status === 503)
  await until(() =>
    service.log.lines.some(
      ({ msg, cause: logged }) => msg === 'queue operation failed' && cause.test(`${logged}`),
    ),
  )
  await service.log.line('dependency check failed')
}

async function recovers(service: Service): Promise<void> {
  await completesTask(service)
  await until(async () => (await queueCheck(service)) === 'ok')
}

describe.skipIf(!haveRedis())('a service whose Redis is up, but useless', () => {
  async function withService(run: (service: Service, server: RedisServer) => Promise<void>): Promise<void> {
    const server = await startRedis()
    try {
      await using service = await startOn(server.url)
      await completesTask(service)
      await run(service, server)
    } finally {
      await server.remove()
    }
  }

  test('because it has become a replica: reports that, and runs tasks when it is the primary again', () =>
    withService(async (service, server) => {
      await using worker = await startService({
        program: 'src/worker.ts',
        env: { ...noDrainWindow, REDIS_URL: server.url },
      })
      const isReady = async () => (await fetch(`${worker.url}/ready`)).status === 200
      await until(isReady)
      await server.send('REPLICAOF', '127.0.0.1', '1')
      await showsFailure(service, /READONLY/)
      await until(async () => !(await isReady()))
      await server.send('REPLICAOF', 'NO', 'ONE')
      await recovers(service)
      await until(isReady)
      const reported = service.log.lines.filter(({ msg }) => msg === 'queue operation failed')
      // One line per minute for each cause: the replica, and the connection that ended because of it.
      expect(reported.length).toBeLessThan(10)
    }))

  test('because another one is the primary: switches, although its connections stay open', async () => {
    const [former, next] = await Promise.all([startRedis(), startRedis()])
    const proxy = startTcpProxy(former.port)
    try {
      await next.send('REPLICAOF', '127.0.0.1', `${former.port}`)
      await until(async () => (await next.send('INFO', 'replication')).includes('master_link_status:up'))
      await using service = await startOn(`redis://127.0.0.1:${proxy.port}`)
      const before = await completesTask(service)
      // Like a failover: the replica has all data when it takes over.
      await former.send('CLIENT', 'PAUSE', '600000', 'WRITE')
      await former.send('WAIT', '1', '0')
      await until(async () => (await next.send('EXISTS', `bull:tally:${before}`)) === '1')
      await next.send('REPLICAOF', 'NO', 'ONE')
      proxy.redirect(next.port)
      await former.send('REPLICAOF', '127.0.0.1', `${next.port}`)
      await former.send('CLIENT', 'UNPAUSE')
      await recovers(service)
      expect(await status(service, before)).toBe('completed')
    } finally {
      proxy.close()
      await Promise.all([former.remove(), next.remove()])
    }
  })

  test('because its memory is full: rejects new tasks, serves existing ones, and recovers when there is room', () =>
    withService(async (service, server) => {
      const before = await completesTask(service)
      await server.send('CONFIG', 'SET', 'maxmemory', '1')
      await showsFailure(service, /OOM/)
      expect(await status(service, before)).toBe('completed')
      await server.send('CONFIG', 'SET', 'maxmemory', '0')
      await recovers(service)
    }))

  test('because the user may not run a command that claims tasks need', () =>
    withService(async (service, server) => {
      await server.send('ACL', 'SETUSER', 'default', '-zrem')
      await showsFailure(service, /NOPERM/)
      await server.send('ACL', 'SETUSER', 'default', '+zrem')
      await recovers(service)
    }))

  test('because it requires a password that the service does not have', () =>
    withService(async (service, server) => {
      await server.send('CONFIG', 'SET', 'requirepass', 'secret')
      await server.send('-a', 'secret', 'CLIENT', 'KILL', 'TYPE', 'normal')
      await showsFailure(service, /NOAUTH/)
      await server.send('-a', 'secret', 'CONFIG', 'SET', 'requirepass', '')
      await recovers(service)
    }))
})
