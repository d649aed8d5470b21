/** load/stop.ts with real k6 against processes of the service, and an API server that "evicts" them by SIGTERM. */

import { describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { findK6 } from '../../load/k6.ts'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'
import { type Service, startService } from '../support/service.ts'
import { haveK6 } from './run-load.ts'

const timeoutMs = 240_000

/**
 * Two pods behind a balancer of TCP connections; an evicted one is replaced, gets no new connection and then SIGTERM.
 *
 * @param refusals how many evictions are refused first, with this status
 */
async function startCluster(program: string, { refusals = 0, status = 429 } = {}) {
  const running = new AsyncDisposableStack()
  const pods = new Map<string, Service>()
  const endpoints: string[] = []
  let started = 0
  const start = async (): Promise<void> => {
    const name = `pod-${++started}`
    pods.set(
      name,
      running.use(await startService({ program, env: { INSTANCE_NAME: name, DRAIN_QUIET: '1s' } })),
    )
    endpoints.push(name)
  }
  await start()
  await start()
  const balancer = await balance(() => {
    const name = endpoints.shift() as string
    endpoints.push(name)
    return pods.get(name)?.port as number
  })
  running.use(balancer)

  const evictions: string[] = []
  let refused = 0
  const api = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const match = /^\/api\/v1\/namespaces\/tally\/pods\/([\w-]+)\/eviction$/.exec(
        new URL(request.url).pathname,
      )
      const name = match?.[1] ?? ''
      const pod = pods.get(name)
      if (request.method !== 'POST' || pod === undefined) return new Response(null, { status: 404 })
      if (refused < refusals) {
        refused++
        return new Response(null, { status })
      }
      evictions.push(name)
      await start()
      endpoints.splice(endpoints.indexOf(name), 1)
      pod.signal('SIGTERM')
      return Response.json({ status: 'Success' }, { status: 201 })
    },
  })
  running.defer(() => api.stop(true))
  return {
    url: `http://127.0.0.1:${balancer.port}`,
    api: api.url.origin,
    evictions,
    refused: () => refused,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Passes each connection on to a port of the moment, and every end of one side to the other. */
async function balance(nextPort: () => number) {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port: nextPort(), noDelay: true })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const runStop = async (cluster: Awaited<ReturnType<typeof startCluster>>, env: Record<string, string> = {}) =>
  await runCommand(
    [
      findK6(process.env, root) as string,
      ...['run', '--quiet', '--no-usage-report', '--address=', join(root, 'load/stop.ts')],
    ],
    {
      env: {
        ...{ SERVICE_URL: cluster.url, KUBE_API: cluster.api, NAMESPACE: 'tally', CONNECT_TIMEOUT: '30s' },
        ...{
          STOPS: '1',
          STOP_INTERVAL: '2',
          REFUSED_MAX: '1000000',
          SIZE: 'small',
          THINK_TIME: '0.02',
          ...env,
        },
      },
      timeoutMs,
    },
  )

const careless = 'test/load/exit-in-request.ts'

describe.skipIf(!haveK6())('load/stop.ts', () => {
  test(
    'passes a build that answers what it accepted, and asks again while no pod may be evicted',
    async () => {
      await using cluster = await startCluster('src/main.ts', { refusals: 2 })
      const { exitCode, output } = await runStop(cluster, { STOP_INTERVAL: '5' })
      expect(output).toContain('Fatal errors: 0\n')
      expect(cluster.refused()).toBe(2)
      expect(cluster.evictions).toHaveLength(1)
      expect(exitCode).toBe(0)
    },
    timeoutMs,
  )

  test(
    'fails a build that loses a request when it is stopped',
    async () => {
      await using cluster = await startCluster(careless)
      const { exitCode, output } = await runStop(cluster)
      expect(cluster.evictions).toHaveLength(1)
      expect(output).toContain('FAILED: threshold requests_lost count==0\n')
      expect(exitCode).toBe(99)
    },
    timeoutMs,
  )

  test(
    'fails when too few pods were evicted, even if every request was answered',
    async () => {
      await using cluster = await startCluster(careless, { refusals: 1_000 })
      const { exitCode, output } = await runStop(cluster)
      expect(output).toContain('Fatal errors: 0\n')
      expect(output).toContain('FAILED: threshold pods_stopped count>=1\n')
      expect(exitCode).toBe(99)
    },
    timeoutMs,
  )

  test(
    'aborts when it may not evict',
    async () => {
      await using cluster = await startCluster(careless, { refusals: 1, status: 403 })
      const { exitCode, output } = await runStop(cluster)
      expect(output).toMatch(/The eviction of pod-\d was refused: status 403/)
      expect(exitCode).not.toBe(0)
    },
    timeoutMs,
  )
})
