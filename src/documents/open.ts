import { type DatabaseOptions, type OpenDatabase, openDatabase } from '../database/open.ts'
import type { DocumentStore } from './document-store.ts'
import { PostgresDocumentStore } from './postgres.ts'
import { SqliteDocumentStore } from './sqlite.ts'

/**
 * Creates the document store of an open database. Closing the store closes the database.
 *
 * @param now milliseconds since the epoch
 */
export function createDocumentStore(database: OpenDatabase, now: () => number = Date.now): DocumentStore {
  return database.engine === 'sqlite'
    ? new SqliteDocumentStore(database.file, now)
    : new PostgresDocumentStore(database.pool, now)
}

export interface DocumentStoreOptions extends DatabaseOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/**
 * Opens a document store on its own database.
 *
 * @throws as openDatabase
 */
export async function openDocumentStore(options: DocumentStoreOptions): Promise<DocumentStore> {
  return createDocumentStore(await openDatabase(options), options.now)
}
