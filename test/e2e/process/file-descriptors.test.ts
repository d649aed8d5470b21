import { expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { get, HttpConnection, postJson } from '../../support/http-connection.ts'
import { hasProgram } from '../../support/programs.ts'
import { startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(120_000)

const limit = 100
const largePayload = JSON.stringify({ numbers: Array.from({ length: 200_000 }, () => 1), text: 'a' })
const smallPayload = JSON.stringify({ numbers: [1], text: 'a' })

test.skipIf(!hasProgram('prlimit', 'util-linux'))(
  'idle connections that take all file descriptors cost others only large bodies, and no orderly shutdown',
  async () => {
    await using service = await startService({
      by: ['prlimit', `--nofile=${limit}:${limit}`],
      env: { DRAIN_MIN: '100ms', DRAIN_MAX: '1s' },
    })
    const ask = async (connection: HttpConnection, request: string) => {
      connection.send(request)
      return (await connection.next())?.status
    }
    using client = await HttpConnection.open(service.port)
    expect(await ask(client, get('/health'))).toBe(200)
    const idle = await Promise.all(
      Array.from({ length: limit + 20 }, () => HttpConnection.open(service.port)),
    )
    for (const connection of idle) connection.send(get('/health'))
    await until(() => readdirSync(`/proc/${service.pid}/fd`).length >= limit)

    expect(await ask(client, postJson('/payload', largePayload))).toBe(503)
    expect(await ask(client, postJson('/payload', smallPayload))).toBe(200)
    expect(await ask(client, postJson('/data', '{}'))).toBe(201)
    expect(await service.stop()).toBe(0)
    for (const connection of idle) connection.close()
  },
)

test.skipIf(!hasProgram('prlimit', 'util-linux'))(
  'a service whose file descriptors were all in use takes large bodies again when they are free',
  async () => {
    await using service = await startService({ by: ['prlimit', `--nofile=${limit}:${limit}`] })
    const idle = await Promise.all(
      Array.from({ length: limit + 20 }, () => HttpConnection.open(service.port)),
    )
    const [client, ...others] = idle as [HttpConnection, ...HttpConnection[]]
    for (const connection of idle) connection.send(get('/health'))
    await client.next()
    await until(() => readdirSync(`/proc/${service.pid}/fd`).length >= limit)
    client.send(postJson('/payload', largePayload))
    expect((await client.next())?.status).toBe(503)
    for (const connection of others) connection.close()
    await until(async () => {
      client.send(postJson('/payload', largePayload))
      return (await client.next())?.status === 200
    })
    client.close()
  },
)
