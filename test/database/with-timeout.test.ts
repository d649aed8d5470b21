import { describe, expect, test } from 'bun:test'
import { TimeoutError, withTimeout } from '../../src/database/with-timeout.ts'

describe('withTimeout', () => {
  const never = new Promise<never>(() => {})

  test('settles as the promise does when it is in time', async () => {
    expect(await withTimeout(Promise.resolve(1), 1_000)).toBe(1)
    await expect(withTimeout(Promise.reject(new Error('mine')), 1_000)).rejects.toThrow('mine')
  })

  test('rejects with TimeoutError when the promise is late', async () => {
    await expect(withTimeout(never, 1)).rejects.toBeInstanceOf(TimeoutError)
  })

  test('returns the fallback, or throws what it throws, when the promise is late', async () => {
    expect(await withTimeout(never, 1, () => 'fallback')).toBe('fallback')
    const fails = withTimeout(never, 1, () => {
      throw new RangeError('late')
    })
    await expect(fails).rejects.toBeInstanceOf(RangeError)
  })

  test('leaves a later rejection without an effect', async () => {
    const { promise, reject } = Promise.withResolvers<never>()
    await withTimeout(promise, 1, () => undefined)
    reject(new Error('too late'))
    await Bun.sleep(1)
  })
})
