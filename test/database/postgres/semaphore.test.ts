import { describe, expect, test } from 'bun:test'
import { Slots } from '../../../src/database/postgres/semaphore.ts'

describe('slots', () => {
  test('so many calls run at a time, the rest in order of arrival', async () => {
    const slots = new Slots(2, 10, 1_000)
    const order: number[] = []
    let running = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        slots.use(async () => {
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

  test('a call that waited too long is told so, and takes no slot', async () => {
    const slots = new Slots(1, 10, 5)
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = slots.use(() => promise)
    await expect(slots.use(async () => {})).rejects.toMatchObject({ reason: 'busy' })
    resolve()
    await first
    expect(await slots.use(async () => 'free')).toBe('free')
  })

  test('one more than may wait is refused at once', async () => {
    const slots = new Slots(1, 1, 1_000)
    const { promise, resolve } = Promise.withResolvers<void>()
    const calls = [slots.use(() => promise), slots.use(() => promise)]
    await expect(slots.use(async () => {})).rejects.toMatchObject({ reason: 'busy' })
    resolve()
    await Promise.all(calls)
  })

  test('a call that fails gives its slot back', async () => {
    const slots = new Slots(1, 1, 1_000)
    await expect(slots.use(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    expect(await slots.use(async () => 'free')).toBe('free')
  })

  test('idle comes after the last running and the last waiting call', async () => {
    const slots = new Slots(1, 10, 1_000)
    await slots.idle()
    const done: string[] = []
    const calls = ['a', 'b'].map((name) => slots.use(async () => void done.push(name)))
    await slots.idle()
    expect(done).toEqual(['a', 'b'])
    await Promise.all(calls)
  })
})
