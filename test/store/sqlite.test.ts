import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../src/store/open.ts'
import { documentStoreContract } from './contract.ts'

async function temporaryDirectory() {
  return await mkdtemp(join(tmpdir(), 'tally-sqlite-'))
}

describe('the contract on SQLite', () => {
  documentStoreContract(async () => {
    const dataDir = await temporaryDirectory()
    return {
      open: (now = Date.now) => openStore({ dataDir, now }),
      remove: () => rm(dataDir, { recursive: true }),
    }
  })
})
