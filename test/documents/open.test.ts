import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseIncompatible } from '../../src/database/errors.ts'
import { sqlitePath } from '../../src/database/open.ts'
import { openDocumentStore } from '../../src/documents/open.ts'

describe('openDocumentStore', () => {
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
  ])('sqlitePath resolves %s in /data to %p', (url, path) => {
    expect(sqlitePath(url, '/data')).toBe(path)
  })

  test('stores documents in the data directory without a URL', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tally-open-'))
    const first = await openDocumentStore({ dataDir })
    await first.create({ id: 'a', body: '{}' })
    await first.close()
    const again = await openDocumentStore({ dataDir, url: 'sqlite:tally.db' })
    expect((await again.get('a'))?.body).toBe('{}')
    await again.close()
    await rm(dataDir, { recursive: true })
  })

  test.each(['postgresql://tally:x@127.0.0.1:1/tally', 'postgres://tally:x@127.0.0.1:1/tally'])(
    '%s opens PostgreSQL, even when the server is unreachable',
    async (url) => {
      const store = await openDocumentStore({ url, dataDir: '.' })
      await expect(store.get('a')).rejects.toMatchObject({ code: 'store-unavailable', retryAfterSeconds: 1 })
      await store.close()
    },
  )

  test.each(['mysql://tally:secret@host/tally', '/var/secret.db', 'postgres:secret'])(
    'rejects another scheme without repeating the URL: %p',
    async (url) => {
      const error = await openDocumentStore({ url, dataDir: '.' }).catch((error) => error)
      expect(error).toBeInstanceOf(DatabaseIncompatible)
      expect(error.message).not.toContain('secret')
    },
  )
})
