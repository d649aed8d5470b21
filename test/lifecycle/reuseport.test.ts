import { describe, expect, test } from 'bun:test'
import { openSteering } from '../../src/lifecycle/reuseport.ts'
import { get, HttpConnection } from '../support/http-connection.ts'
import { isLinux } from '../support/programs.ts'

/** Listeners on one port. Each responds with its index. */
function listeners(count: number): { port: number; [Symbol.dispose](): void } {
  const servers: Bun.Server<undefined>[] = []
  for (let i = 0; i < count; i++) {
    const port = servers[0]?.port ?? 0
    servers.push(
      Bun.serve({ port, hostname: '127.0.0.1', reusePort: true, fetch: () => new Response(String(i)) }),
    )
  }
  return {
    port: servers[0]?.port ?? 0,
    [Symbol.dispose]() {
      for (const server of servers) void server.stop(true)
    },
  }
}

/** The listeners that respond to sixty new connections. The chance that one gets no connection is about 3 × 2^-35. */
async function respondingListeners(port: number): Promise<string[]> {
  const seen = new Set<string>()
  for (let i = 0; i < 60; i++) {
    using connection = await HttpConnection.open(port)
    connection.send(get('/'))
    seen.add((await connection.next())?.body ?? 'nothing')
  }
  return [...seen].sort()
}

describe.skipIf(!isLinux())('steering on Linux', () => {
  test('excludes one listener from new connections, and includes it again', async () => {
    using group = listeners(3)
    const steering = openSteering(group.port)
    expect(await respondingListeners(group.port)).toEqual(['0', '1', '2'])
    steering.exclude(0, 3)
    expect(await respondingListeners(group.port)).toEqual(['1', '2'])
    steering.exclude(1, 3)
    expect(await respondingListeners(group.port)).toEqual(['0', '2'])
    steering.exclude(2, 3)
    expect(await respondingListeners(group.port)).toEqual(['0', '1'])
    steering.reset()
    expect(await respondingListeners(group.port)).toEqual(['0', '1', '2'])
  })

  test('fails without a listener of this process, and on a listener that shares no port', () => {
    expect(() => openSteering(1)).toThrow('no known listener')
    const alone = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
    expect(() => openSteering(alone.port ?? 0).reset()).toThrow('refused')
    void alone.stop(true)
  })
})
