import { describe, expect, test } from 'bun:test'
import { TimeoutError, withTimeout } from '../../src/lifecycle/index.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const never = (): Promise<never> => new Promise(() => {})

describe('withTimeout', () => {
  test('resolves with the value of a promise before the timeout, and leaves no timer', async () => {
    const clock = createFakeClock()
    expect(await withTimeout(Promise.resolve(7), 100, undefined, clock)).toBe(7)
    expect(clock.sleeping).toBe(0)
  })

  test('rejects with the error of a promise before the timeout, and leaves no timer', async () => {
    const clock = createFakeClock()
    const failed = withTimeout(Promise.reject(new Error('refused')), 100, () => 'fallback', clock)
    await expect(failed).rejects.toThrow('refused')
    expect(clock.sleeping).toBe(0)
  })

  test('throws TimeoutError at the timeout, not before', async () => {
    const clock = createFakeClock()
    const settled: unknown[] = []
    void withTimeout(never(), 100, undefined, clock).catch((error: unknown) => settled.push(error))
    await clock.advance(99)
    expect(settled).toEqual([])
    await clock.advance(1)
    expect(settled).toEqual([expect.any(TimeoutError)])
    expect(settled[0]).toMatchObject({
      name: 'TimeoutError',
      message: 'timed out after 100 ms',
      timeoutMs: 100,
    })
  })

  test.each([
    ['a value', () => 'fallback'],
    ['a promise', async () => 'fallback'],
  ])('resolves with the fallback when onTimeout returns %s', async (_kind, onTimeout) => {
    const clock = createFakeClock()
    const result = withTimeout(never(), 100, onTimeout, clock)
    await clock.advance(100)
    expect(await result).toBe('fallback')
  })

  test('rejects with the error of onTimeout', async () => {
    const clock = createFakeClock()
    const onTimeout = (): never => {
      throw new Error('store did not answer')
    }
    const failed = withTimeout(never(), 100, onTimeout, clock).catch(String)
    await clock.advance(100)
    expect(await failed).toBe('Error: store did not answer')
  })

  test('a negative timeout expires at once', async () => {
    expect(await withTimeout(never(), -1, () => 'fallback')).toBe('fallback')
  })

  test('a rejection after the timeout is not an unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const onUnhandled = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', onUnhandled)
    const late = Promise.withResolvers<void>()
    await withTimeout(late.promise, 0, () => {})
    late.reject(new Error('too late'))
    await Bun.sleep(1)
    process.off('unhandledRejection', onUnhandled)
    expect(unhandled).toEqual([])
  })
})
