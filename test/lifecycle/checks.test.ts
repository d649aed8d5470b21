import { describe, expect, test } from 'bun:test'
import { type Check, createChecks } from '../../src/lifecycle/index.ts'
import { createFakeClock } from '../support/fake-clock.ts'

/** A dependency that counts its probes; the test controls its state. */
function dependency(name = 'store') {
  const self = { probes: 0, probing: async (_signal: AbortSignal): Promise<void> => {} }
  const probe = (signal: AbortSignal): Promise<void> => {
    self.probes++
    return self.probing(signal)
  }
  return Object.assign(self, { check: { name, probe } satisfies Check })
}

const ok = { status: 'ok', required: false } as const
const failing = { status: 'failing', required: false } as const
const down = () => Promise.reject(new Error('refused'))

test('without checks there are no results', async () => {
  expect(await createChecks([]).results()).toEqual({})
})

describe('a check', () => {
  test('probes at most once per cacheMs, for any number of callers', async () => {
    const clock = createFakeClock()
    const store = dependency()
    const checks = createChecks([store.check], { clock, cacheMs: 1_000 })
    await Promise.all([checks.results(), checks.results(), checks.results()])
    await clock.advance(999)
    await checks.results()
    expect(store.probes).toBe(1)
    await clock.advance(1)
    await checks.results()
    expect(store.probes).toBe(2)
  })

  test('fails after several consecutive failures, and recovers at the first success', async () => {
    const clock = createFakeClock()
    const store = dependency()
    const checks = createChecks([store.check], { clock, cacheMs: 1_000, failureThreshold: 3 })
    const next = async () => {
      await clock.advance(1_000)
      return (await checks.results()).store
    }
    expect(await next()).toEqual(ok)
    store.probing = down
    expect([await next(), await next()]).toEqual([ok, ok])
    store.probing = async () => {}
    expect(await next()).toEqual(ok)
    store.probing = down
    expect([await next(), await next(), await next(), await next()]).toEqual([ok, ok, failing, failing])
    store.probing = async () => {}
    expect(await next()).toEqual(ok)
  })

  test('that never succeeded fails at its first failure', async () => {
    const store = dependency()
    store.probing = down
    expect(await createChecks([store.check], { clock: createFakeClock() }).results()).toEqual({
      store: failing,
    })
  })

  test('that throws instead of rejecting fails the same way', async () => {
    const store = dependency()
    store.probing = () => {
      throw new Error('no client')
    }
    expect(await createChecks([store.check], { clock: createFakeClock() }).results()).toEqual({
      store: failing,
    })
  })

  test('that hangs fails at its timeout and aborts its signal', async () => {
    const clock = createFakeClock()
    const store = dependency()
    let aborted = false
    store.probing = (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(() => {})
    }
    const results = createChecks([store.check], { clock, timeoutMs: 500 }).results()
    await clock.advance(499)
    expect(aborted).toBe(false)
    await clock.advance(1)
    expect(await results).toEqual({ store: failing })
    expect(aborted).toBe(true)
  })

  test('that hangs delays other checks at most by its own timeout', async () => {
    const clock = createFakeClock()
    const queue = dependency('queue')
    const store = dependency('store')
    store.probing = () => new Promise(() => {})
    const results = createChecks([store.check, queue.check], { clock, timeoutMs: 500 }).results()
    await clock.advance(500)
    expect(await results).toEqual({ store: failing, queue: ok })
  })

  test('reports once when it starts to fail, with the reason, and once when it recovers', async () => {
    const clock = createFakeClock()
    const store = dependency()
    const changes: unknown[] = []
    const checks = createChecks([store.check], {
      clock,
      cacheMs: 1_000,
      failureThreshold: 2,
      onChange: ({ check, status, error }) => changes.push([check, status, (error as Error)?.message]),
    })
    const poll = async (): Promise<void> => {
      await checks.results()
      await clock.advance(1_000)
    }
    await poll()
    store.probing = down
    for (let i = 0; i < 4; i++) await poll()
    store.probing = async () => {}
    for (let i = 0; i < 2; i++) await poll()
    expect(changes).toEqual([
      ['store', 'failing', 'refused'],
      ['store', 'ok', undefined],
    ])
  })

  test('shows whether it is required', async () => {
    const required = { ...dependency().check, required: true }
    const checks = createChecks([required], { clock: createFakeClock() })
    expect(await checks.results()).toEqual({ store: { status: 'ok', required: true } })
  })
})
