import { describe, expect, test } from 'bun:test'
import {
  closeTimeoutMs,
  createLifecycle,
  type DrainTarget,
  type Lifecycle,
  type LifecycleEvent,
} from '../../src/lifecycle/index.ts'
import { createFakeClock } from '../support/fake-clock.ts'

/** A target without work; a test overrides its methods. */
function target(changes: Partial<DrainTarget> = {}): DrainTarget {
  return { name: 'target', beginDrain: () => {}, finish: async () => {}, abort: () => [], ...changes }
}

function eventsOf(lifecycle: Lifecycle): LifecycleEvent[] {
  const events: LifecycleEvent[] = []
  lifecycle.subscribe((event) => events.push(event))
  return events
}

const never = () => new Promise<never>(() => {})

describe('states', () => {
  test('a process passes through starting, ready, three phases of draining and stopped, once each', async () => {
    const lifecycle = createLifecycle({}, createFakeClock())
    const events = eventsOf(lifecycle)
    expect(lifecycle.state.name).toBe('starting')

    lifecycle.markReady()
    lifecycle.markReady()
    await lifecycle.shutdown('SIGTERM')
    lifecycle.markReady()

    const seen = events.map((event) =>
      event.type !== 'state'
        ? event.type
        : event.state.name === 'draining'
          ? event.state.phase
          : event.state.name,
    )
    expect(seen).toEqual(['ready', 'window', 'finishing', 'closing', 'stopped'])
    expect(lifecycle.state.name).toBe('stopped')
  })

  test('the reason for not being ready is starting, disabled or draining, even after the stop', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    expect(lifecycle.notReadyReason).toBe('starting')
    lifecycle.markReady()
    expect(lifecycle.notReadyReason).toBeUndefined()
    lifecycle.setEnabled(false)
    expect(lifecycle.notReadyReason).toBe('disabled')
    lifecycle.setEnabled(true)
    expect(lifecycle.notReadyReason).toBeUndefined()

    const shutdown = lifecycle.shutdown('SIGTERM')
    // Synchronously, not in the next turn of the event loop.
    expect(lifecycle.notReadyReason).toBe('draining')
    expect(lifecycle.draining).toBe(true)
    await shutdown
    expect(lifecycle.notReadyReason).toBe('draining')
    expect(lifecycle.draining).toBe(true)
  })

  test('a shutdown during the start skips the window and still runs the hooks', async () => {
    const lifecycle = createLifecycle({ drainMinMs: 5_000 }, createFakeClock())
    const done: string[] = []
    const traffic = () => ({ inFlight: 0, openConnections: 3, lastRequestAt: 0 })
    lifecycle.addTarget(target({ traffic, finish: async () => void done.push('finished') }))
    lifecycle.onClose('store', () => void done.push('closed'))

    const result = await lifecycle.shutdown('SIGTERM')

    expect(result).toMatchObject({ exitCode: 0, windowEnd: 'skipped' })
    expect(done).toEqual(['finished', 'closed'])
  })

  test('a second shutdown returns the promise of the first', async () => {
    const lifecycle = createLifecycle({}, createFakeClock())
    const first = lifecycle.shutdown('SIGTERM')
    const second = lifecycle.shutdown('SIGINT')
    expect(second).toBe(first)
    expect((await second).reason).toBe('SIGTERM')
    expect(lifecycle.shutdown('SIGTERM')).toBe(first)
  })

  test('a listener may call shutdown while it handles the event of a shutdown', async () => {
    const lifecycle = createLifecycle({}, createFakeClock())
    const begun: number[] = []
    lifecycle.addTarget(target({ beginDrain: () => void begun.push(1) }))
    lifecycle.subscribe((event) => {
      if (event.type === 'state') void lifecycle.shutdown('again')
    })
    const result = await lifecycle.shutdown('SIGTERM')
    expect(result.reason).toBe('SIGTERM')
    expect(begun).toHaveLength(1)
  })

  test('an uncaught error during a shutdown makes its exit code 1', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    lifecycle.onClose('slow', () => clock.sleep(100))
    const shutdown = lifecycle.shutdown('SIGTERM')
    void lifecycle.shutdown('uncaughtException', { exitCode: 1 })
    await clock.advance(100)
    expect(await shutdown).toMatchObject({ reason: 'SIGTERM', exitCode: 1 })
  })

  test('a throwing listener does not stop others or the shutdown; its error is in the result', async () => {
    const lifecycle = createLifecycle({}, createFakeClock())
    lifecycle.subscribe(() => {
      throw new Error('cannot log')
    })
    const events = eventsOf(lifecycle)
    const result = await lifecycle.shutdown('SIGTERM')
    expect(result.exitCode).toBe(1)
    expect(result.errors[0]?.message).toBe('cannot log')
    expect(events.at(-1)).toMatchObject({ type: 'state', state: { name: 'stopped' } })
  })
})

describe('targets', () => {
  test('all begin to drain synchronously and finish in parallel', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    const log: string[] = []
    for (const name of ['server', 'worker']) {
      lifecycle.addTarget(
        target({
          name,
          beginDrain: () => void log.push(`${name} draining`),
          finish: async () => {
            await clock.sleep(1_000)
            log.push(`${name} finished at ${clock.now()}`)
          },
        }),
      )
    }
    lifecycle.markReady()
    const shutdown = lifecycle.shutdown('SIGTERM')
    expect(log).toEqual(['server draining', 'worker draining'])
    await clock.advance(1_000)
    const result = await shutdown
    expect(log.slice(2)).toEqual(['server finished at 1000', 'worker finished at 1000'])
    expect(result).toMatchObject({
      exitCode: 0,
      windowEnd: 'skipped',
      durationsMs: { window: 0, finishing: 1_000 },
    })
  })

  test('late work is aborted, named and counted, and the exit code is 1', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({ shutdownTimeoutMs: 3_000 }, clock)
    const events = eventsOf(lifecycle)
    lifecycle.addTarget(target({ name: 'server', finish: never, abort: () => ['GET /slow', 'GET /slower'] }))
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(2_999)
    expect(lifecycle.state).toMatchObject({ phase: 'finishing' })
    await clock.advance(1)
    expect(await shutdown).toMatchObject({ exitCode: 1, aborted: ['GET /slow', 'GET /slower'] })
    expect(events).toContainEqual({ type: 'aborted', target: 'server', work: ['GET /slow', 'GET /slower'] })
  })

  test('a finish that hangs without remaining work loses nothing: the exit code is 0', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({ shutdownTimeoutMs: 3_000 }, clock)
    const events = eventsOf(lifecycle)
    lifecycle.addTarget(target({ finish: never }))
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(3_000)
    expect(await shutdown).toMatchObject({ exitCode: 0, aborted: [] })
    expect(events.some(({ type }) => type === 'aborted')).toBe(false)
  })

  test.each([
    [
      'beginDrain',
      {
        beginDrain: () => {
          throw new Error('broken')
        },
      },
    ],
    [
      'traffic',
      {
        traffic: () => {
          throw new Error('broken')
        },
      },
    ],
    ['finish', { finish: () => Promise.reject(new Error('broken')) }],
    [
      'abort',
      {
        finish: () => Promise.reject(new Error('late')),
        abort: () => {
          throw new Error('broken')
        },
      },
    ],
  ] satisfies [string, Partial<DrainTarget>][])(
    'a target whose %s fails does not stop the others',
    async (_method, broken) => {
      const lifecycle = createLifecycle({}, createFakeClock())
      const done: string[] = []
      lifecycle.addTarget(target(broken))
      lifecycle.addTarget(target({ finish: async () => void done.push('finished') }))
      lifecycle.onClose('store', () => void done.push('closed'))
      lifecycle.markReady()
      const result = await lifecycle.shutdown('SIGTERM')
      expect(done).toEqual(['finished', 'closed'])
      expect(result.exitCode).toBe(1)
      expect(result.errors.map(({ message }) => message)).toContain('broken')
    },
  )

  test('aborts and names the remaining work after a failed finish', async () => {
    const lifecycle = createLifecycle({}, createFakeClock())
    lifecycle.addTarget(
      target({ finish: () => Promise.reject(new Error('broken')), abort: () => ['task 7'] }),
    )
    expect((await lifecycle.shutdown('SIGTERM')).aborted).toEqual(['task 7'])
  })

  test('an abort that hangs does not block the shutdown or shorten the time of hooks', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({ shutdownTimeoutMs: 1_000 }, clock)
    lifecycle.addTarget(target({ name: 'worker', finish: never, abort: never }))
    let closed = false
    lifecycle.onClose('store', () => {
      closed = true
    })
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(1_000 + closeTimeoutMs)
    const result = await shutdown
    expect(result.errors.map(({ message }) => message)).toEqual(['worker did not abort within 2000 ms'])
    expect(closed).toBe(true)
  })

  test('a target added during the window drains with the others', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({ drainMinMs: 1_000 }, clock)
    const log: string[] = []
    lifecycle.addTarget(target({ traffic: () => ({ inFlight: 0, openConnections: 0, lastRequestAt: 0 }) }))
    lifecycle.markReady()
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(500)
    lifecycle.addTarget(
      target({ beginDrain: () => void log.push('draining'), finish: async () => void log.push('finished') }),
    )
    expect(log).toEqual(['draining'])
    await clock.advance(500)
    await shutdown
    expect(log).toEqual(['draining', 'finished'])
  })

  test.each([
    ['while others finish', 1_500],
    ['after the shutdown', 10_000],
  ])('a target added %s is drained and finished at once', async (_when, atMs) => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    lifecycle.addTarget(target({ finish: () => clock.sleep(3_000) }))
    void lifecycle.shutdown('SIGTERM')
    await clock.advance(atMs)
    const log: string[] = []
    lifecycle.addTarget(
      target({ beginDrain: () => void log.push('draining'), finish: async () => void log.push('finished') }),
    )
    expect(log).toEqual(['draining', 'finished'])
  })

  test('configure does not change the times of a running shutdown', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({ shutdownTimeoutMs: 1_000 }, clock)
    lifecycle.addTarget(target({ finish: never, abort: () => ['work'] }))
    const shutdown = lifecycle.shutdown('SIGTERM')
    lifecycle.configure({ shutdownTimeoutMs: 60_000 })
    await clock.advance(1_000)
    expect((await shutdown).durationsMs.finishing).toBe(1_000)
  })
})

describe('hooks', () => {
  test('run one after the other in reverse order of registration, after the last response', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    const log: string[] = []
    const slow = (name: string) => async () => {
      log.push(`${name} begins`)
      await clock.sleep(100)
      log.push(`${name} ends`)
    }
    lifecycle.onClose('log', slow('log'))
    lifecycle.onClose('store', slow('store'))
    lifecycle.addTarget(target({ finish: async () => void log.push('answered') }))
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(200)
    expect((await shutdown).durationsMs.closing).toBe(200)
    expect(log).toEqual(['answered', 'store begins', 'store ends', 'log begins', 'log ends'])
  })

  test('hooks with `last` run after all others, in the order of registration', async () => {
    const lifecycle = createLifecycle()
    const log: string[] = []
    lifecycle.onClose('log', () => void log.push('log'))
    lifecycle.onClose('scrapes', () => void log.push('scrapes'), { last: true })
    lifecycle.onClose('store', () => void log.push('store'))
    lifecycle.onClose('probes', () => void log.push('probes'), { last: true })
    await lifecycle.shutdown('SIGTERM')
    expect(log).toEqual(['store', 'log', 'scrapes', 'probes'])
  })

  test('a hook that throws, rejects or times out is reported by name, sets exit code 1 and stops no other', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    const events = eventsOf(lifecycle)
    let closed = false
    lifecycle.onClose('last', () => {
      closed = true
    })
    lifecycle.onClose('late', never, { timeoutMs: 300 })
    lifecycle.onClose('rejecting', () => Promise.reject('no error object'))
    lifecycle.onClose('throwing', () => {
      throw new Error('thrown')
    })
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(300)
    const result = await shutdown
    expect(closed).toBe(true)
    expect(result.exitCode).toBe(1)
    expect(result.errors.map(({ message }) => message)).toEqual([
      'thrown',
      'no error object',
      'late did not close within 300 ms',
    ])
    const failed = events.flatMap((event) => (event.type === 'hook-failed' ? [event.hook] : []))
    expect(failed).toEqual(['throwing', 'rejecting', 'late'])
  })

  test('share one budget: after it is spent, the others still start but are not awaited', async () => {
    const clock = createFakeClock()
    const lifecycle = createLifecycle({}, clock)
    let prompt = false
    lifecycle.onClose('prompt', () => {
      prompt = true
    })
    for (const name of ['one', 'two', 'three', 'four']) lifecycle.onClose(name, never)
    const shutdown = lifecycle.shutdown('SIGTERM')
    await clock.advance(closeTimeoutMs)
    const result = await shutdown
    // 2 + 2 + 1 + 0 seconds; the hook that needs no time still runs.
    expect(result.durationsMs.closing).toBe(closeTimeoutMs)
    expect(result.errors.map(({ message }) => message)).toEqual([
      'four did not close within 2000 ms',
      'three did not close within 2000 ms',
      'two did not close within 1000 ms',
      'one did not close within 0 ms',
    ])
    expect(prompt).toBe(true)
  })

  test('a hook registered while others run also runs, and one registered later runs at once', async () => {
    const lifecycle = createLifecycle({}, createFakeClock())
    const log: string[] = []
    lifecycle.onClose('first', () => {
      log.push('first')
      lifecycle.onClose('opened meanwhile', () => void log.push('opened meanwhile'))
    })
    await lifecycle.shutdown('SIGTERM')
    expect(log).toEqual(['first', 'opened meanwhile'])
    lifecycle.onClose('opened too late', () => void log.push('opened too late'))
    expect(log).toEqual(['first', 'opened meanwhile', 'opened too late'])
  })
})
