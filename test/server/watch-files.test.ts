import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTexts, watchFiles } from '../../src/server/watch-files.ts'
import { until } from '../support/until.ts'

const pollIntervalMs = 5

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-watch-'))
})
afterEach(() => rm(directory, { recursive: true }))

/** Watches two files whose initial texts are `a` and `b`. */
async function watch(onChange: (texts: readonly string[]) => void = () => {}) {
  const paths = [join(directory, 'one'), join(directory, 'two')] as const
  await Promise.all([Bun.write(paths[0], 'a'), Bun.write(paths[1], 'b')])
  const changes: (readonly string[])[] = []
  const errors: string[] = []
  const stop = watchFiles(
    paths,
    await readTexts(paths),
    (texts) => {
      changes.push(texts)
      onChange(texts)
    },
    (error) => errors.push(String(error)),
    pollIntervalMs,
  )
  return { paths, changes, errors, stop, [Symbol.dispose]: stop }
}

describe('watchFiles', () => {
  test('reports all texts when one of them changes, and nothing before', async () => {
    using watched = await watch()
    await Bun.sleep(5 * pollIntervalMs)
    expect(watched.changes).toEqual([])
    await Bun.write(watched.paths[1], 'c')
    await until(() => watched.changes.at(-1)?.[1] === 'c')
    expect(watched.changes.at(-1)).toEqual(['a', 'c'])
    expect(watched.errors).toEqual([])
  })

  test('notices a link that is replaced atomically, as Kubernetes does with mounted files', async () => {
    await Bun.write(join(directory, 'v1', 'file'), 'first')
    await Bun.write(join(directory, 'v2', 'file'), 'second')
    await symlink('v1', join(directory, 'data'))
    const path = join(directory, 'data', 'file')
    const changes: (readonly string[])[] = []
    const stop = watchFiles(
      [path],
      ['first'],
      (texts) => void changes.push(texts),
      () => {},
      pollIntervalMs,
    )
    await symlink('v2', join(directory, 'next'))
    await rename(join(directory, 'next'), join(directory, 'data'))
    await until(() => changes.length > 0)
    stop()
    expect(changes).toEqual([['second']])
  })

  test('reports a missing file once, and its texts when it returns changed', async () => {
    using watched = await watch()
    await rm(watched.paths[0])
    await until(() => watched.errors.length > 0)
    await Bun.sleep(5 * pollIntervalMs)
    expect(watched.errors).toHaveLength(1)
    await Bun.write(watched.paths[0], 'd')
    await until(() => watched.changes.at(-1)?.[0] === 'd')
    expect(watched.changes.at(-1)).toEqual(['d', 'b'])
  })

  test('tries again after the next change when the texts were not usable', async () => {
    using watched = await watch(([first]) => {
      if (first === 'invalid') throw new Error('not usable')
    })
    await Bun.write(watched.paths[0], 'invalid')
    await until(() => watched.errors.includes('Error: not usable'))
    await Bun.write(watched.paths[0], 'valid')
    await until(() => watched.changes.at(-1)?.[0] === 'valid')
    expect(watched.errors).toEqual(['Error: not usable'])
  })

  test('reports nothing after it is stopped', async () => {
    using watched = await watch()
    watched.stop()
    await Bun.write(watched.paths[0], 'e')
    await Bun.sleep(5 * pollIntervalMs)
    expect(watched.changes).toEqual([])
  })
})
