import { describe } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { severalProcessesContract } from './several-processes.ts'

describe('several processes on one SQLite file', () => {
  severalProcessesContract(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tally-sqlite-'))
    return { dataDir, remove: () => rm(dataDir, { recursive: true }) }
  })
})
