import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDocumentStore } from '../../src/documents/open.ts'
import { documentStoreContract } from './contract.ts'

async function temporaryDirectory() {
  const dataDir = await mkdtemp(join(tmpdir(), 'tally-sqlite-'))
  return { dataDir, remove: () => rm(dataDir, { recursive: true }) }
}

describe('the contract on SQLite', () => {
  documentStoreContract(async () => {
    const { dataDir, remove } = await temporaryDirectory()
    return { open: (now = Date.now) => openDocumentStore({ dataDir, now }), remove }
  })
})

describe('the SQLite file', () => {
  test('close removes the write-ahead log, so that one file is the whole database', async () => {
    const { dataDir, remove } = await temporaryDirectory()
    const store = await openDocumentStore({ dataDir })
    await store.create({ id: 'a', body: '{}' })
    await store.close()
    expect(await Array.fromAsync(new Bun.Glob('*').scan(dataDir))).toEqual(['tally.db'])
    await remove()
  })

  test('two stores in memory are independent', async () => {
    const [a, b] = [
      await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' }),
      await openDocumentStore({ url: 'sqlite::memory:', dataDir: '.' }),
    ]
    await a.create({ id: 'a', body: '{}' })
    expect(await b.get('a')).toBeUndefined()
    await Promise.all([a.close(), b.close()])
  })
})
