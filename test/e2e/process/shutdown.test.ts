import { describe, expect, test } from 'bun:test'
import { examplePayload } from '../../support/example-payload.ts'
import { get, HttpConnection, postJson } from '../../support/http-connection.ts'
import { runService, type Service, spawnService, startService } from '../../support/service.ts'

/** No window: the shutdown waits only for requests in flight. */
const noWindow = { DRAIN_MAX: '0s', DEBUG_ROUTES: 'true', LOG_LEVEL: 'debug' }

/** A window that lasts as long as a client is connected. */
const longWindow = { DRAIN_QUIET: '60s', DRAIN_MAX: '60s', DEBUG_ROUTES: 'true' }

const payload = postJson('/payload', JSON.stringify(examplePayload))

function countOf(service: Service, msg: string): number {
  return service.log.lines.filter((line) => line.msg === msg).length
}

/** Sends a request and waits until it is in flight. */
async function inFlight(service: Service, request: string): Promise<HttpConnection> {
  const connection = await HttpConnection.open(service.port)
  connection.send(request)
  for (;;) {
    using other = await HttpConnection.open(service.port)
    other.send(get('/metrics'))
    const metrics = (await other.next())?.body ?? ''
    if (Number(/^api_http_requests_in_flight (\d+)$/m.exec(metrics)?.[1]) >= 1) return connection
  }
}

describe('while draining', () => {
  test('/health answers 200, /ready 503 and work is done, on kept and on new connections', async () => {
    await using service = await startService({ env: longWindow })
    const paths = ['/health', '/ready', '/payload']
    const kept = await Promise.all(paths.map(() => HttpConnection.open(service.port)))
    for (const connection of kept) {
      connection.send(get('/version'))
      expect((await connection.next())?.headers.has('connection')).toBe(false)
    }
    service.signal('SIGTERM')
    await service.log.line('draining')

    const fresh = await Promise.all(paths.map(() => HttpConnection.open(service.port)))
    for (const connections of [fresh, kept]) {
      for (const [i, path] of paths.entries()) {
        connections[i]?.send(path === '/payload' ? payload : get(path))
        const response = await connections[i]?.next()
        expect(response?.status).toBe(path === '/ready' ? 503 : 200)
        expect(response?.headers.get('connection')).toBe('close')
        if (path === '/ready')
          expect(JSON.parse(response?.body ?? '')).toMatchObject({ status: 'not ready', reason: 'draining' })
        expect(await connections[i]?.end()).toBe('fin')
      }
    }

    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({
      msg: 'stopped',
      window_end: 'no connections',
      exit_code: 0,
    })
  })

  test('an open console gets responses but does not keep the window open', async () => {
    await using service = await startService({ env: { DRAIN_QUIET: '1s', DRAIN_MAX: '60s' } })
    // Stays open, so that only the quiet time can end the window.
    using idle = await HttpConnection.open(service.port)
    idle.send(get('/version'))
    await idle.next()
    service.signal('SIGTERM')
    await service.log.line('draining')
    const states: unknown[] = []
    while (service.alive) {
      try {
        using console = await HttpConnection.open(service.port)
        console.send(get('/console/instance'))
        const body = (await console.next())?.body
        if (body !== undefined) states.push(JSON.parse(body).state)
      } catch {
        // It has closed its port.
        break
      }
      await Bun.sleep(50)
    }
    expect(await service.exited).toBe(0)
    expect(states).toContain('draining')
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', window_end: 'quiet' })
  })

  test('a second SIGTERM is logged and changes nothing', async () => {
    await using service = await startService({ env: longWindow })
    using connection = await HttpConnection.open(service.port)
    connection.send(get('/version'))
    await connection.next()
    service.signal('SIGTERM')
    await service.log.line('draining')
    service.signal('SIGTERM')
    await service.log.line('shutdown already in progress')

    connection.send(payload)
    expect((await connection.next())?.status).toBe(200)
    expect(await service.exited).toBe(0)
    expect(countOf(service, 'draining')).toBe(1)
  })

  test('a second SIGINT exits at once with 130', async () => {
    await using service = await startService({ env: { ...longWindow, DRAIN_MIN: '60s' } })
    service.signal('SIGINT')
    await service.log.line('draining')
    // Within 100 ms it would count as the same keystroke.
    await Bun.sleep(150)
    service.signal('SIGINT')
    expect(await service.exited).toBe(130)
  })
})

describe('work in flight at the end of the window', () => {
  test('a slow handler finishes', async () => {
    await using service = await startService({ env: noWindow })
    using connection = await inFlight(service, get('/debug/delay/0.6'))
    service.signal('SIGTERM')
    expect((await connection.next())?.body).toBe('{"delayed":0.6,"method":"GET"}')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', cut: 0, exit_code: 0 })
  })

  test('a large payload on a thread gets its response', async () => {
    await using service = await startService({ env: noWindow })
    const numbers = Array.from({ length: 500_000 }, (_, i) => i + 0.1)
    using connection = await inFlight(service, postJson('/payload', JSON.stringify({ numbers, text: 'a' })))
    service.signal('SIGTERM')
    const answer = await connection.next()
    expect(answer?.status).toBe(200)
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ numeric_analysis: { count: 500_000 } })
    expect(await service.exited).toBe(0)
  })

  test('a stream continues to its end', async () => {
    await using service = await startService({ env: noWindow })
    using connection = await inFlight(service, get('/debug/stream/0.6'))
    service.signal('SIGTERM')
    expect((await connection.next())?.body).toBe('tick 0\ntick 1\ntick 2\ntick 3\ntick 4\ntick 5\n')
    expect(await service.exited).toBe(0)
  })

  test('requests beyond SHUTDOWN_TIMEOUT are aborted, counted and logged, and the exit code is 1', async () => {
    await using service = await startService({ env: { ...noWindow, SHUTDOWN_TIMEOUT: '300ms' } })
    const slow = get('/debug/delay/60').replace('\r\n', '\r\nX-Request-ID: the-slow-one\r\n')
    using connection = await inFlight(service, slow)
    service.signal('SIGTERM')
    expect(await connection.next()).toBeUndefined()
    expect(await service.exited).toBe(1)
    expect(await service.log.line('requests aborted at shutdown deadline')).toMatchObject({
      level: 'error',
      target: 'server',
      count: 1,
      work: ['GET /debug/delay/:seconds the-slow-one'],
    })
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', cut: 1, exit_code: 1 })
  })

  test('half a request head does not delay it beyond SHUTDOWN_TIMEOUT and is not a loss', async () => {
    await using service = await startService({ env: { ...noWindow, SHUTDOWN_TIMEOUT: '300ms' } })
    using connection = await HttpConnection.open(service.port)
    connection.send(get('/version'))
    await connection.next()
    connection.send('POST /payload HTTP/1.1\r\nHos')
    await Bun.sleep(50)
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
    expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', cut: 0, exit_code: 0 })
    expect(service.log.lines.at(-1)?.finishing_ms).toBeLessThan(5_000)
  })
})

test('a crash is logged and drains: all other requests are answered, then it exits 1', async () => {
  await using service = await startService({ env: longWindow })
  using slow = await inFlight(service, get('/debug/delay/0.6'))
  using kept = await HttpConnection.open(service.port)
  kept.send(get('/version'))
  await kept.next()
  {
    using crashing = await HttpConnection.open(service.port)
    crashing.send(get('/debug/crash'))
    expect((await crashing.next())?.status).toBe(202)
  }
  const fault = await service.log.line('uncaught exception, shutting down')
  expect(fault).toMatchObject({ level: 'error', kind: 'uncaughtException' })
  expect(fault.error).toMatchObject({ message: 'crashed on demand' })

  using fresh = await HttpConnection.open(service.port)
  for (const connection of [fresh, kept]) {
    connection.send(payload)
    expect((await connection.next())?.status).toBe(200)
  }
  expect((await slow.next())?.status).toBe(200)
  slow.close()
  expect(await service.exited).toBe(1)
  expect(service.log.lines.at(-1)).toMatchObject({
    msg: 'stopped',
    reason: 'uncaughtException',
    exit_code: 1,
    cut: 0,
  })
})

describe('the start', () => {
  test('interrupted by SIGTERM exits 0 without further waiting', async () => {
    const connected = Promise.withResolvers<void>()
    // A database that accepts connections and never sends a byte.
    using silent = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { open: () => connected.resolve(), data: () => {} },
    })
    await using spawned = await spawnService({
      env: {
        DATABASE_URL: `postgres://tally@127.0.0.1:${silent.port}/tally`,
        DRAIN_MIN: '10m',
        DRAIN_MAX: '10m',
      },
    })
    await connected.promise
    // Within the drain window the harness would kill it.
    expect(await spawned.stop()).toBe(0)
    expect(spawned.log.text).not.toContain('listening')
  })

  test('on a port in use exits 1 and reports that', async () => {
    await using first = await startService()
    const { exitCode, output } = await runService({ env: { PORT: String(first.port) } })
    expect(exitCode).toBe(1)
    expect(output).toContain('cannot start')
    expect(output).toContain(`Is port ${first.port} in use?`)
  })
})
