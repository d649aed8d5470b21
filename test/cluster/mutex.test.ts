import { expect, test } from 'bun:test'
import { Mutex } from '../../src/cluster/mutex.ts'

test('work runs one piece at a time, in the order of the calls, also after a failure', async () => {
  const mutex = new Mutex()
  const log: string[] = []
  const first = Promise.withResolvers<void>()
  const results = Promise.allSettled([
    mutex.runExclusive(async () => {
      log.push('first begins')
      await first.promise
      log.push('first ends')
      return 1
    }),
    mutex.runExclusive(async () => {
      log.push('second')
      throw new Error('failed')
    }),
    mutex.runExclusive(async () => {
      log.push('third')
      return 3
    }),
  ])
  await Bun.sleep(1)
  expect(log).toEqual(['first begins'])
  first.resolve()
  expect(await results).toMatchObject([{ value: 1 }, { status: 'rejected' }, { value: 3 }])
  expect(log).toEqual(['first begins', 'first ends', 'second', 'third'])
})
