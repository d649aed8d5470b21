import { describe, expect, test } from 'bun:test'
import { Semaphore } from '../../../src/database/postgres/semaphore.ts'

describe('Semaphore', () => {
  test('runs as many calls at a time as it has permits, in order of arrival', async () => {
    const semaphore = new Semaphore(2, 10, 1_000)
    const order: number[] = []
    let running = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        semaphore.run(async () => {
          order.push(n)
          most = Math.max(most, ++running)
          await Promise.resolve()
          running -= 1
        }),
      ),
    )
    expect(most).toBe(2)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('rejects a call that waited too long, which then takes no permit', async () => {
    const semaphore = new Semaphore(1, 10, 5)
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = semaphore.run(() => promise)
    await expect(semaphore.run(async () => {})).rejects.toMatchObject({ reason: 'busy' })
    resolve()
    await first
    expect(await semaphore.run(async () => 'free')).toBe('free')
  })

  test('rejects at once a call that would exceed the waiting limit', async () => {
    const semaphore = new Semaphore(1, 1, 1_000)
    const { promise, resolve } = Promise.withResolvers<void>()
    const calls = [semaphore.run(() => promise), semaphore.run(() => promise)]
    await expect(semaphore.run(async () => {})).rejects.toMatchObject({ reason: 'busy' })
    resolve()
    await Promise.all(calls)
  })

  test('releases the permit of a call that fails', async () => {
    const semaphore = new Semaphore(1, 1, 1_000)
    await expect(semaphore.run(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    expect(await semaphore.run(async () => 'free')).toBe('free')
  })

  test('becomes idle after the last running and the last waiting call', async () => {
    const semaphore = new Semaphore(1, 10, 1_000)
    await semaphore.idle()
    const done: string[] = []
    const calls = ['a', 'b'].map((name) => semaphore.run(async () => void done.push(name)))
    await semaphore.idle()
    expect(done).toEqual(['a', 'b'])
    await Promise.all(calls)
  })
})
