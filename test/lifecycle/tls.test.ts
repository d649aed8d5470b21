import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  type Certificate,
  createLifecycle,
  type LifecycleOptions,
  type ServeOptions,
  serve,
} from '../../src/lifecycle/index.ts'
import { connectTls, haveOpenssl, makeCertificate } from '../support/certificates.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(30_000)

describe.skipIf(!haveOpenssl())('a server that speaks TLS', () => {
  let first: Certificate
  let second: Certificate
  let third: Certificate
  beforeAll(async () => {
    ;[first, second, third] = (await Promise.all(
      ['first', 'second', 'third'].map((name) => makeCertificate(name)),
    )) as [Certificate, Certificate, Certificate]
  })

  function start(changes: Partial<ServeOptions> = {}, times: LifecycleOptions = {}) {
    const lifecycle = createLifecycle({ shutdownTimeoutMs: 1_000, drainMinMs: 0, drainQuietMs: 0, ...times })
    const server = serve(lifecycle, {
      port: 0,
      hostname: '127.0.0.1',
      certificate: first,
      fetch: () => new Response('x'),
      ...changes,
    })
    lifecycle.markReady()
    return { server, [Symbol.asyncDispose]: async () => void (await lifecycle.shutdown('test')), lifecycle }
  }

  test('responds over TLS and rejects plain HTTP', async () => {
    await using running = start()
    const { server } = running
    expect(server.url.protocol).toBe('https:')
    using connection = await connectTls(server.port)
    expect(connection.name).toBe('first')
    expect(await connection.get('/')).toStartWith('HTTP/1.1 200 OK')
    await expect(fetch(`http://127.0.0.1:${server.port}/`)).rejects.toThrow()
  })

  test('uses a new certificate for new connections and serves old ones with Connection: close', async () => {
    await using running = start()
    const { server } = running
    using old = await connectTls(server.port)
    expect(await old.get('/')).not.toMatch(/connection: close/i)

    void server.reloadCertificate(second)
    for (let i = 0; i < 20; i++) {
      using fresh = await connectTls(server.port)
      expect(fresh.name).toBe('second')
      expect(await fresh.get('/')).not.toMatch(/connection: close/i)
    }
    expect(await old.get('/')).toMatch(/^HTTP\/1.1 200 OK[\s\S]*connection: close/i)
    await old.ended
  })

  test('reloads its certificate repeatedly, each time after the previous listener has closed', async () => {
    // Without an idle timeout, the old listener closes after one idle check of Bun.
    await using running = start({ idleTimeoutSeconds: 0, clock: quickClock })
    const { server } = running
    await server.reloadCertificate(second)
    using one = await connectTls(server.port)
    expect(one.name).toBe('second')
    await one.get('/')
    await server.reloadCertificate(third)
    for (let i = 0; i < 10; i++) {
      using other = await connectTls(server.port)
      expect(other.name).toBe('third')
    }
  })

  test('rejects an invalid certificate and one for another key, and keeps the current one', async () => {
    await using running = start()
    const { server } = running
    await expect(server.reloadCertificate({ cert: second.cert, key: first.key })).rejects.toThrow(/MISMATCH/)
    await expect(server.reloadCertificate({ cert: 'none', key: 'none' })).rejects.toThrow()
    using connection = await connectTls(server.port)
    expect(connection.name).toBe('first')
    expect(() => start({ certificate: { cert: second.cert, key: first.key } })).toThrow(/MISMATCH/)
  })

  test('does not share its port, like a server without TLS', async () => {
    await using running = start()
    expect(() => start({ port: running.server.port })).toThrow('in use')
  })

  test('loses no request when it reloads its certificate under load', async () => {
    await using running = start({
      fetch: async () => {
        await Bun.sleep(Math.random() * 5)
        return new Response('x')
      },
    })
    const { server } = running
    const names = new Map<string, number>()
    const lost: unknown[] = []
    let done = false
    const keptAlive = async (): Promise<void> => {
      while (!done) {
        using connection = await connectTls(server.port)
        names.set(connection.name, (names.get(connection.name) ?? 0) + 1)
        for (let i = 0; i < 50 && !done; i++) {
          const answer = await connection.get('/').catch((error: unknown) => lost.push(error))
          if (typeof answer !== 'string' || /connection: close/i.test(answer)) break
        }
      }
    }
    const clients = Array.from({ length: 20 }, keptAlive)
    await until(() => (names.get('first') ?? 0) >= 40)
    void server.reloadCertificate(second)
    await until(() => (names.get('second') ?? 0) >= 40)
    done = true
    await Promise.all(clients)
    expect(lost).toEqual([])
    expect([...names.keys()].toSorted()).toEqual(['first', 'second'])
  })

  test('drains during a reload: serves old and new connections with Connection: close', async () => {
    await using running = start({}, { drainQuietMs: 60_000, drainMaxMs: 60_000 })
    const { server, lifecycle } = running
    using old = await connectTls(server.port)
    await old.get('/')
    void server.reloadCertificate(second)
    using fresh = await connectTls(server.port)
    await fresh.get('/')
    const shutdown = lifecycle.shutdown('SIGTERM')
    for (const connection of [old, fresh]) {
      expect(await connection.get('/')).toMatch(/connection: close/i)
      await connection.ended
    }
    expect(await shutdown).toMatchObject({ windowEnd: 'no connections', exitCode: 0 })
  })
})

/** A clock whose sleeps take a hundredth of the time. */
const quickClock = {
  now: () => performance.now(),
  sleep: (ms: number) => Bun.sleep(ms / 100),
}
