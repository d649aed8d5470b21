import { afterAll, beforeAll, describe } from 'bun:test'
import { openStore } from '../../src/store/open.ts'
import { havePostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { documentStoreContract } from './contract.ts'

describe.skipIf(!havePostgres())('on PostgreSQL', () => {
  let server: PostgresServer
  let databases = 0
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.remove())

  describe('the contract', () => {
    documentStoreContract(async () => {
      const name = `contract_${++databases}`
      await server.psql(`create database ${name}`)
      const url = server.url.replace(/tally$/, name)
      return {
        open: (now = Date.now) => openStore({ url, dataDir: '.', now }),
        remove: async () => {},
      }
    })
  })
})
