import { describe, expect, test } from 'bun:test'
import { createLifecycle, type LifecycleOptions, type ShutdownResult } from '../../src/lifecycle/index.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'

/** What the server of a test has to do; a test changes it as time goes on. */
interface Scene {
  inFlight: number
  openConnections: number | undefined
  lastRequestAt: number
}

/** A serving instance that is told to go at time 0. */
function drain(
  options: LifecycleOptions,
  reason = 'SIGTERM',
): { clock: FakeClock; scene: Scene; outcome: Promise<ShutdownResult>; ended: () => boolean } {
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
  const outcome = lifecycle.shutdown(reason)
  return { clock, scene, outcome, ended: () => lifecycle.state.name === 'stopped' }
}

describe('the drain window ends', () => {
  test('when no connection is open, seen twice', async () => {
    const { clock, scene, outcome, ended } = drain({})
    await clock.advance(1_000)
    scene.openConnections = 0
    await clock.advance(100)
    expect(ended()).toBe(false)
    await clock.advance(100)
    expect(await outcome).toMatchObject({ windowEnd: 'no connections', durationsMs: { window: 1_200 } })
  })

  test('not while a connection comes back between two looks', async () => {
    const { clock, scene, ended } = drain({})
    for (let i = 0; i < 10; i++) {
      scene.openConnections = 0
      await clock.advance(100)
      scene.openConnections = 1
      await clock.advance(100)
    }
    expect(ended()).toBe(false)
  })

  test('not while clients with short connections come and go unseen', async () => {
    const { clock, scene, outcome, ended } = drain({})
    scene.openConnections = 0
    for (let i = 0; i < 20; i++) {
      scene.lastRequestAt = clock.now() + 50
      await clock.advance(100)
    }
    expect(ended()).toBe(false)
    await clock.advance(200)
    expect((await outcome).windowEnd).toBe('no connections')
  })

  test('not while something is in flight, though its connection is not counted', async () => {
    const { clock, scene, outcome, ended } = drain({})
    scene.openConnections = 0
    scene.inFlight = 1
    await clock.advance(1_000)
    expect(ended()).toBe(false)
    scene.inFlight = 0
    await clock.advance(200)
    expect((await outcome).windowEnd).toBe('no connections')
  })

  test('when no application request came for the quiet time, whoever is still connected', async () => {
    const { clock, scene, outcome, ended } = drain({ drainQuietMs: 2_000 })
    await clock.advance(1_500)
    scene.lastRequestAt = clock.now()
    await clock.advance(1_900)
    expect(ended()).toBe(false)
    await clock.advance(100)
    expect(await outcome).toMatchObject({ windowEnd: 'quiet', durationsMs: { window: 3_500 } })
  })

  test('never for want of connections where the platform does not count them', async () => {
    const { clock, scene, outcome } = drain({ drainQuietMs: 2_000 })
    scene.openConnections = undefined
    await clock.advance(2_000)
    expect((await outcome).windowEnd).toBe('quiet')
  })

  test('at the maximum, whatever the traffic', async () => {
    const { clock, scene, outcome, ended } = drain({ drainQuietMs: 500, drainMaxMs: 3_050 })
    for (let now = 0; now < 3_000; now += 100) {
      scene.lastRequestAt = now
      await clock.advance(100)
    }
    expect(ended()).toBe(false)
    await clock.advance(50)
    expect(await outcome).toMatchObject({ windowEnd: 'maximum', durationsMs: { window: 3_050 } })
  })

  test('not before the minimum, though nobody is there', async () => {
    const { clock, scene, outcome, ended } = drain({ drainMinMs: 5_000, drainQuietMs: 0 })
    scene.openConnections = 0
    await clock.advance(4_999)
    expect(ended()).toBe(false)
    await clock.advance(1)
    expect(await outcome).toMatchObject({ exitCode: 0, durationsMs: { window: 5_000 } })
  })

  test('at once in a terminal, where nothing waits for a platform', async () => {
    const { outcome } = drain({ drainMinMs: 0, drainQuietMs: 5_000 }, 'SIGINT')
    expect(await outcome).toMatchObject({ windowEnd: 'quiet', durationsMs: { window: 0 } })
  })

  test('not at once for a SIGINT where a minimum is set: there is a platform', async () => {
    const { clock, outcome, ended } = drain({ drainMinMs: 1_000, drainQuietMs: 2_000 }, 'SIGINT')
    await clock.advance(1_900)
    expect(ended()).toBe(false)
    await clock.advance(100)
    expect((await outcome).windowEnd).toBe('quiet')
  })
})

test('looking takes at most a tenth of the time, however long one look takes', async () => {
  const clock = createFakeClock()
  let spent = 0
  let looks = 0
  // Counting 10,000 connections takes a while in which nothing else runs.
  const slowClock = { now: () => clock.now() + spent, sleep: clock.sleep }
  const slow = createLifecycle({ drainMaxMs: 11_000, drainQuietMs: 60_000 }, slowClock)
  slow.addTarget({
    name: 'server',
    beginDrain: () => {},
    traffic: () => {
      looks++
      spent += 100
      return { inFlight: 0, openConnections: 10_000, lastRequestAt: 0 }
    },
    finish: async () => {},
    abort: () => [],
  })
  slow.markReady()
  const outcome = slow.shutdown('SIGTERM')
  await clock.advance(11_000)
  expect((await outcome).windowEnd).toBe('maximum')
  expect(looks).toBeLessThanOrEqual(12)
})
