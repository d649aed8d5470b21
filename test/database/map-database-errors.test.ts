import { describe, expect, test } from 'bun:test'
import {
  ConnectionLost,
  DatabaseIncompatible,
  DatabaseUnavailable,
  SchemaTooNew,
} from '../../src/database/errors.ts'
import { mapDatabaseErrors } from '../../src/database/map-database-errors.ts'
import { StoreUnavailable } from '../../src/documents/document-store.ts'

describe('mapDatabaseErrors', () => {
  test('returns the result of the call', async () => {
    expect(await mapDatabaseErrors(StoreUnavailable, async () => 1)).toBe(1)
  })

  test.each([
    new DatabaseUnavailable('busy', 'locked'),
    new ConnectionLost({}),
    new SchemaTooNew(2, 1, 2),
    new DatabaseIncompatible('not ours'),
  ])('turns %p into the error of the port, with its cause', async (failure) => {
    const error = await mapDatabaseErrors(StoreUnavailable, () => Promise.reject(failure)).catch(
      (error) => error,
    )
    expect(error).toBeInstanceOf(StoreUnavailable)
    expect(error).toMatchObject({ code: 'store-unavailable', retryAfterSeconds: 1, cause: failure })
  })

  test('rejects with every other error unchanged', async () => {
    const other = new RangeError('not the database')
    await expect(mapDatabaseErrors(StoreUnavailable, () => Promise.reject(other))).rejects.toBe(other)
  })
})
