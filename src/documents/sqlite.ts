import type { Idempotency } from '../database/idempotency.ts'
import { mapDatabaseErrors } from '../database/map-database-errors.ts'
import type { SqliteFile } from '../database/sqlite/file.ts'
import { SqliteIdempotencyKeys } from '../database/sqlite/idempotency-keys.ts'
import {
  assertCondition,
  assertPageRequest,
  assertStorable,
  type Condition,
  type Created,
  createVersion,
  type Document,
  DocumentExists,
  type DocumentStore,
  type Draft,
  maxPageBytes,
  type Page,
  type PageExtent,
  type PageRequest,
  type Replaced,
  StoreUnavailable,
  toPageExtent,
} from './document-store.ts'

interface Row {
  seq: number
  id: string
  body: string
  version: string
  created_at: number
  updated_at: number
}

/** Documents in an SQLite file. Writes that arrive at the same time share a commit; see GroupCommit. */
export class SqliteDocumentStore implements DocumentStore {
  readonly #file: SqliteFile
  readonly #now: () => number
  readonly #idempotencyKeys: SqliteIdempotencyKeys
  readonly #statements

  /** @param now milliseconds since the epoch */
  constructor(file: SqliteFile, now: () => number) {
    this.#file = file
    this.#now = now
    this.#idempotencyKeys = new SqliteIdempotencyKeys(file.db)
    this.#statements = prepare(file)
  }

  create(draft: Draft, idempotency?: Idempotency): Promise<Created> {
    return mapDatabaseErrors(StoreUnavailable, () => {
      assertStorable(draft)
      return this.#file.write(() => {
        const now = this.#now()
        const first = idempotency && this.#idempotencyKeys.find(idempotency, now)
        if (first !== undefined) return { document: JSON.parse(first) as Document, replayed: true }
        const document = this.#insert(draft, now)
        if (document === undefined) throw new DocumentExists(draft.id)
        if (idempotency) this.#idempotencyKeys.save(idempotency, JSON.stringify(document), now)
        return { document, replayed: false }
      })
    })
  }

  get(id: string): Promise<Document | undefined> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      const row = await this.#file.read(() => this.#statements.find.get(id))
      return row === null ? undefined : fromRow(row)
    })
  }

  list(request: PageRequest): Promise<Page> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertPageRequest(request)
      return await this.#file.read(() => this.#readPage(request))
    })
  }

  measure(request: PageRequest): Promise<PageExtent> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertPageRequest(request)
      const { limit, after = '0' } = request
      return await this.#file.read(() =>
        toPageExtent(this.#statements.sizes.iterate(Number(after), limit + 1), limit),
      )
    })
  }

  replace(id: string, body: string, condition: Condition = {}): Promise<Replaced> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertStorable({ id, body })
      return await this.#file.write(() => {
        const found = this.#statements.findVersion.get(id)
        assertCondition(id, condition, found?.version)
        const now = this.#now()
        const document = found
          ? this.#update({ ...metadata(found), body, version: createVersion(), updatedAt: now })
          : (this.#insert({ id, body }, now) as Document)
        return { document, created: found === null }
      })
    })
  }

  delete(id: string, condition: Condition = {}): Promise<boolean> {
    return mapDatabaseErrors(
      StoreUnavailable,
      async () =>
        await this.#file.write(() => {
          const found = this.#statements.findVersion.get(id)
          if (found === null) return false
          assertCondition(id, condition, found.version)
          return this.#statements.remove.run(id).changes > 0
        }),
    )
  }

  ping(): Promise<void> {
    return mapDatabaseErrors(StoreUnavailable, () => this.#file.ping(() => this.#statements.ping.get()))
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /** @returns undefined when the id is taken */
  #insert({ id, body }: Draft, now: number): Document | undefined {
    const version = createVersion()
    const inserted = this.#statements.insert.get(id, body, version, now)
    if (inserted === null) return undefined
    return { id, body, version, position: `${inserted.seq}`, createdAt: now, updatedAt: now }
  }

  #update(document: Document): Document {
    this.#statements.update.run(document.id, document.body, document.version, document.updatedAt)
    return document
  }

  /** Reads row by row, so that a page of huge documents ends before all of them are in memory. */
  #readPage({ limit, after = '0', until = lastPosition, maxBytes = maxPageBytes }: PageRequest): Page {
    const documents: Document[] = []
    let bytes = 0
    for (const row of this.#statements.list.iterate(Number(after), Number(until))) {
      const last = documents.at(-1)
      if (last && (documents.length === limit || bytes + row.bytes > maxBytes)) {
        return { documents, next: last.position }
      }
      bytes += row.bytes
      documents.push(fromRow(row))
    }
    return { documents, next: undefined }
  }
}

/** Prepares the statements once; the database closes them when it closes. */
function prepare({ db }: SqliteFile) {
  return {
    insert: db.query<{ seq: number }, [string, string, string, number]>(
      `insert into documents (id, body, version, created_at, updated_at) values (?1, ?2, ?3, ?4, ?4)
       on conflict (id) do nothing returning seq`,
    ),
    update: db.query<never, [string, string, string, number]>(
      'update documents set body = ?2, version = ?3, updated_at = ?4 where id = ?1',
    ),
    remove: db.query<never, [string]>('delete from documents where id = ?1'),
    find: db.query<Row, [string]>(`select ${columns} from documents where id = ?1`),
    findVersion: db.query<Omit<Row, 'body'>, [string]>(
      'select seq, id, version, created_at, updated_at from documents where id = ?1',
    ),
    list: db.query<Row & { bytes: number }, [number, number]>(
      `select ${columns}, octet_length(body) as bytes from documents where seq > ?1 and seq <= ?2 order by seq`,
    ),
    sizes: db.query<{ seq: number; bytes: number }, [number, number]>(
      'select seq, octet_length(body) as bytes from documents where seq > ?1 order by seq limit ?2',
    ),
    ping: db.query<unknown, []>('select 1 from documents limit 1'),
  }
}

/** The highest that fits into a number. */
const lastPosition = String(Number.MAX_SAFE_INTEGER)

const columns = 'seq, id, body, version, created_at, updated_at'

function metadata(row: Omit<Row, 'body'>): Omit<Document, 'body'> {
  return {
    id: row.id,
    version: row.version,
    position: `${row.seq}`,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

function fromRow(row: Row): Document {
  return { ...metadata(row), body: row.body }
}
