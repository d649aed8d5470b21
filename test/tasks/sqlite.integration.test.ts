import { describe } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { workersContract } from './several-processes.ts'

describe('several processes on one SQLite file', () => {
  workersContract(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tally-queue-'))
    return { dataDir, remove: () => rm(dataDir, { recursive: true }) }
  })
})
