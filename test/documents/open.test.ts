import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseUnusable } from '../../src/database/errors.ts'
import { sqlitePath } from '../../src/database/open.ts'
import { openStore } from '../../src/documents/open.ts'

describe('openStore', () => {
  test.each([
    ['sqlite:a.db', '/data/a.db'],
    ['sqlite://a.db', '/data/a.db'],
    ['sqlite:./b/a.db', '/data/b/a.db'],
    ['sqlite:/var/a.db', '/var/a.db'],
    ['sqlite:///var/a.db', '/var/a.db'],
    ['SQLITE:a.db', '/data/a.db'],
    ['sqlite::memory:', ':memory:'],
    ['sqlite://:memory:', ':memory:'],
    ['sqlite:', undefined],
    ['mysql://host/a', undefined],
  ])('%s below /data is %p', (url, path) => {
    expect(sqlitePath(url, '/data')).toBe(path)
  })

  test('without a URL the documents are in a file of the data directory', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tally-open-'))
    const first = await openStore({ dataDir })
    await first.create({ id: 'a', body: '{}' })
    await first.close()
    const again = await openStore({ dataDir, url: 'sqlite:tally.db' })
    expect((await again.get('a'))?.body).toBe('{}')
    await again.close()
    await rm(dataDir, { recursive: true })
  })

  test.each(['postgresql://tally:x@127.0.0.1:1/tally', 'postgres://tally:x@127.0.0.1:1/tally'])(
    '%s is PostgreSQL, and that nobody is there is no reason not to start',
    async (url) => {
      const store = await openStore({ url, dataDir: '.' })
      await expect(store.get('a')).rejects.toMatchObject({ code: 'store-unavailable', retryAfterSeconds: 1 })
      await store.close()
    },
  )

  test.each(['mysql://tally:secret@host/tally', '/var/secret.db', 'postgres:secret'])(
    'another scheme is refused without being repeated: %p',
    async (url) => {
      const error = await openStore({ url, dataDir: '.' }).catch((error) => error)
      expect(error).toBeInstanceOf(DatabaseUnusable)
      expect(error.message).not.toContain('secret')
    },
  )
})
