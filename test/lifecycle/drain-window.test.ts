import { describe, expect, test } from 'bun:test'
import { createLifecycle, type LifecycleOptions, type ShutdownResult } from '../../src/lifecycle/index.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'

/** The traffic of the server; a test changes it over time. */
interface Scene {
  inFlight: number
  openConnections: number | undefined
  lastRequestAt: number
}

/** A ready instance whose shutdown begins at time 0. */
function drain(
  options: LifecycleOptions,
  reason = 'SIGTERM',
): { clock: FakeClock; scene: Scene; result: Promise<ShutdownResult>; ended: () => boolean } {
  const clock = createFakeClock()
  const lifecycle = createLifecycle(options, clock)
  const scene: Scene = { inFlight: 0, openConnections: 1, lastRequestAt: Number.NEGATIVE_INFINITY }
  lifecycle.addTarget({
    name: 'server',
    beginDrain: () => {},
    traffic: () => scene,
    finish: async () => {},
    abort: () => [],
  })
  lifecycle.markReady()
  const result = lifecycle.shutdown(reason)
  return { clock, scene, result, ended: () => lifecycle.state.name === 'stopped' }
}

describe('the drain window ends', () => {
  test('when two consecutive polls find no open connection', async () => {
    const { clock, scene, result, ended } = drain({})
    await clock.advance(1_000)
    scene.openConnections = 0
    await clock.advance(100)
    expect(ended()).toBe(false)
    await clock.advance(100)
    expect(await result).toMatchObject({ windowEnd: 'no connections', durationsMs: { window: 1_200 } })
  })

  test('not while a connection reappears between two polls', async () => {
    const { clock, scene, ended } = drain({})
    for (let i = 0; i < 10; i++) {
      scene.openConnections = 0
      await clock.advance(100)
      scene.openConnections = 1
      await clock.advance(100)
    }
    expect(ended()).toBe(false)
  })

  test('not while clients with short connections come and go between the polls', async () => {
    const { clock, scene, result, ended } = drain({})
    scene.openConnections = 0
    for (let i = 0; i < 20; i++) {
      scene.lastRequestAt = clock.now() + 50
      await clock.advance(100)
    }
    expect(ended()).toBe(false)
    await clock.advance(200)
    expect((await result).windowEnd).toBe('no connections')
  })

  test('not while a request is in flight on an uncounted connection', async () => {
    const { clock, scene, result, ended } = drain({})
    scene.openConnections = 0
    scene.inFlight = 1
    await clock.advance(1_000)
    expect(ended()).toBe(false)
    scene.inFlight = 0
    await clock.advance(200)
    expect((await result).windowEnd).toBe('no connections')
  })

  test('after the quiet time without an application request, even with open connections', async () => {
    const { clock, scene, result, ended } = drain({ drainQuietMs: 2_000 })
    await clock.advance(1_500)
    scene.lastRequestAt = clock.now()
    await clock.advance(1_900)
    expect(ended()).toBe(false)
    await clock.advance(100)
    expect(await result).toMatchObject({ windowEnd: 'quiet', durationsMs: { window: 3_500 } })
  })

  test('only after the quiet time if the system cannot count connections', async () => {
    const { clock, scene, result } = drain({ drainQuietMs: 2_000 })
    scene.openConnections = undefined
    await clock.advance(2_000)
    expect((await result).windowEnd).toBe('quiet')
  })

  test('at the maximum, regardless of the traffic', async () => {
    const { clock, scene, result, ended } = drain({ drainQuietMs: 500, drainMaxMs: 3_050 })
    for (let now = 0; now < 3_000; now += 100) {
      scene.lastRequestAt = now
      await clock.advance(100)
    }
    expect(ended()).toBe(false)
    await clock.advance(50)
    expect(await result).toMatchObject({ windowEnd: 'maximum', durationsMs: { window: 3_050 } })
  })

  test('not before the minimum, even without connections', async () => {
    const { clock, scene, result, ended } = drain({ drainMinMs: 5_000, drainQuietMs: 0 })
    scene.openConnections = 0
    await clock.advance(4_999)
    expect(ended()).toBe(false)
    await clock.advance(1)
    expect(await result).toMatchObject({ exitCode: 0, durationsMs: { window: 5_000 } })
  })

  test('at once at a terminal, where no platform needs time', async () => {
    const { result } = drain({ drainMinMs: 0, drainQuietMs: 5_000 }, 'SIGINT')
    expect(await result).toMatchObject({ windowEnd: 'quiet', durationsMs: { window: 0 } })
  })

  test('not at once for a SIGINT if a minimum is set, which implies a platform', async () => {
    const { clock, result, ended } = drain({ drainMinMs: 1_000, drainQuietMs: 2_000 }, 'SIGINT')
    await clock.advance(1_900)
    expect(ended()).toBe(false)
    await clock.advance(100)
    expect((await result).windowEnd).toBe('quiet')
  })
})

test('polling takes at most a tenth of the time, even if one poll is slow', async () => {
  const clock = createFakeClock()
  let spent = 0
  let polls = 0
  // Counting many connections blocks the event loop.
  const slowClock = { now: () => clock.now() + spent, sleep: clock.sleep }
  const slow = createLifecycle({ drainMaxMs: 11_000, drainQuietMs: 60_000 }, slowClock)
  slow.addTarget({
    name: 'server',
    beginDrain: () => {},
    traffic: () => {
      polls++
      spent += 100
      return { inFlight: 0, openConnections: 10_000, lastRequestAt: 0 }
    },
    finish: async () => {},
    abort: () => [],
  })
  slow.markReady()
  const result = slow.shutdown('SIGTERM')
  await clock.advance(11_000)
  expect((await result).windowEnd).toBe('maximum')
  expect(polls).toBeLessThanOrEqual(12)
})
