import { type DatabaseOptions, type OpenDatabase, openDatabase } from '../database/open.ts'
import type { DocumentStore } from './document-store.ts'
import { PostgresDocumentStore } from './postgres.ts'
import { SqliteDocumentStore } from './sqlite.ts'

/**
 * The documents of an open database. Closing them closes it.
 *
 * @param now milliseconds since the epoch
 */
export function storeOn(database: OpenDatabase, now: () => number = Date.now): DocumentStore {
  return database.engine === 'sqlite'
    ? new SqliteDocumentStore(database.file, now)
    : new PostgresDocumentStore(database.pool, now)
}

export interface StoreOptions extends DatabaseOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/**
 * Opens the documents on a database of their own.
 *
 * @throws as openDatabase
 */
export async function openStore(options: StoreOptions): Promise<DocumentStore> {
  return storeOn(await openDatabase(options), options.now)
}
