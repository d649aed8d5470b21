import type { SQL, TransactionSQL } from 'bun'
import { DatabaseUnavailable } from '../database/errors.ts'
import type { Idempotency } from '../database/idempotency.ts'
import { mapDatabaseErrors } from '../database/map-database-errors.ts'
import { PostgresIdempotencyKeys } from '../database/postgres/idempotency-keys.ts'
import type { PostgresPool } from '../database/postgres/pool.ts'
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
  isDocumentId,
  maxPageBytes,
  type Page,
  type PageExtent,
  type PageRequest,
  type Replaced,
  StoreUnavailable,
  toPageExtent,
  unmetCondition,
  type VersionSet,
} from './document-store.ts'

/** 64-bit integers arrive as text. */
interface Row {
  seq: string
  id: string
  body: string
  version: string
  created_at: string
  updated_at: string
}

/** The highest of a 64-bit integer. */
const lastPosition = '9223372036854775807'

/** How often a write is repeated when others create, replace and delete the same document between its statements. */
const maxWriteAttempts = 5

/**
 * Documents in PostgreSQL.
 *
 * Reads are repeated when a connection breaks. So is `create`, because it recognizes its own first attempt, by the
 * random version it wrote or by its idempotency key. `replace` and `delete` are not repeated: a second execution could
 * undo a write of another client in between, so the caller decides.
 */
export class PostgresDocumentStore implements DocumentStore {
  readonly #pool: PostgresPool
  readonly #now: () => number
  readonly #idempotencyKeys = new PostgresIdempotencyKeys()

  /** @param now milliseconds since the epoch */
  constructor(pool: PostgresPool, now: () => number) {
    this.#pool = pool
    this.#now = now
  }

  create(draft: Draft, idempotency?: Idempotency): Promise<Created> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertStorable(draft)
      const now = this.#now()
      const values = { ...draft, version: createVersion(), createdAt: now, updatedAt: now }
      return await this.#pool.run(
        (sql) =>
          idempotency ? this.#createWithKey(sql, values, idempotency) : createWithoutKey(sql, values),
        true,
      )
    })
  }

  get(id: string): Promise<Document | undefined> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      if (!isDocumentId(id)) return undefined
      const [row] = await this.#pool.run(
        async (sql) =>
          await sql<Row[]>`
          select seq, id, body, version, created_at, updated_at from documents where id = ${id}`,
        true,
      )
      return row && fromRow(row)
    })
  }

  list(request: PageRequest): Promise<Page> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertPageRequest(request)
      const { limit, after = '0', until = lastPosition, maxBytes = maxPageBytes } = request
      // One row more than the page shows whether there is a next page. octet_length does not read the text itself.
      const rows = await this.#pool.run(
        async (sql) =>
          await sql<(Row & { found: number })[]>`
          select seq, id, body, version, created_at, updated_at, found from (
            select *, count(*) over ()::int as found, row_number() over upwards as place,
              sum(octet_length(body)) over upwards as bytes
            from (select * from documents where seq > ${after} and seq <= ${until} order by seq limit ${limit + 1}) as ahead
            window upwards as (order by seq rows unbounded preceding)
          ) as measured
          where place = 1 or (place <= ${limit} and bytes <= ${maxBytes}) order by seq`,
        true,
      )
      const documents = rows.map(fromRow)
      const more = (rows[0]?.found ?? 0) > documents.length
      return { documents, next: more ? documents.at(-1)?.position : undefined }
    })
  }

  measure(request: PageRequest): Promise<PageExtent> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertPageRequest(request)
      const { limit, after = '0' } = request
      const ahead = await this.#pool.run(
        async (sql) =>
          await sql<{ seq: string; bytes: number }[]>`
          select seq, octet_length(body) as bytes from documents where seq > ${after} order by seq limit ${limit + 1}`,
        true,
      )
      return toPageExtent(ahead, limit)
    })
  }

  replace(id: string, body: string, condition: Condition = {}): Promise<Replaced> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      assertStorable({ id, body })
      const now = this.#now()
      const values = { id, body, version: createVersion(), createdAt: now, updatedAt: now }
      return await this.#pool.run((sql) => upsert(sql, values, condition), false)
    })
  }

  delete(id: string, condition: Condition = {}): Promise<boolean> {
    return mapDatabaseErrors(StoreUnavailable, async () => {
      if (!isDocumentId(id)) return false
      return await this.#pool.run((sql) => remove(sql, id, condition), false)
    })
  }

  ping(): Promise<void> {
    return mapDatabaseErrors(StoreUnavailable, () => this.#pool.ping())
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  /** Claims the key first, so that only the first of many requests with one key writes. */
  async #createWithKey(sql: SQL, values: NewDocument, idempotency: Idempotency): Promise<Created> {
    return await sql.begin(async (transaction) => {
      const first = await this.#idempotencyKeys.claim(transaction, idempotency, '', values.createdAt)
      if (first !== undefined) {
        const document = JSON.parse(first) as Document
        return { document, replayed: document.version !== values.version }
      }
      const document = await insert(transaction, values)
      if (document === undefined) throw new DocumentExists(values.id)
      await this.#idempotencyKeys.save(transaction, idempotency, JSON.stringify(document))
      return { document, replayed: false }
    })
  }
}

/** A document before it has its position. */
type NewDocument = Omit<Document, 'position'>

/** A conflict with our own version means that the first attempt succeeded and only its confirmation was lost. */
async function createWithoutKey(sql: SQL, values: NewDocument): Promise<Created> {
  const document = (await insert(sql, values)) ?? (await findOwn(sql, values))
  if (document === undefined) throw new DocumentExists(values.id)
  return { document, replayed: false }
}

/** @returns undefined when the id is taken */
async function insert(sql: SQL | TransactionSQL, values: NewDocument): Promise<Document | undefined> {
  const { id, body, version, createdAt, updatedAt } = values
  const [row] = await sql<{ seq: string }[]>`
    insert into documents (id, body, version, created_at, updated_at)
    values (${id}, ${body}, ${version}, ${createdAt}, ${updatedAt})
    on conflict (id) do nothing returning seq`
  return row && { ...values, position: row.seq }
}

async function findOwn(sql: SQL, values: NewDocument): Promise<Document | undefined> {
  const [row] = await sql<{ seq: string }[]>`
    select seq from documents where id = ${values.id} and version = ${values.version}`
  return row && { ...values, position: row.seq }
}

/** @returns undefined when no document with this id meets the condition */
async function update(sql: SQL, values: NewDocument, condition: Condition): Promise<Document | undefined> {
  const [row] = await sql<Pick<Row, 'seq' | 'created_at'>[]>`
    update documents set body = ${values.body}, version = ${values.version}, updated_at = ${values.updatedAt}
    where id = ${values.id} ${andMeets(sql, condition)} returning seq, created_at`
  return row && { ...values, position: row.seq, createdAt: Number(row.created_at) }
}

/**
 * Updates, or else inserts. Unlike `on conflict do update`, this reports which one happened, and an update uses up no
 * position. Each statement checks the condition itself: an insert finds no version, so it meets the same conditions as
 * a missing document.
 */
async function upsert(sql: SQL, values: NewDocument, condition: Condition): Promise<Replaced> {
  const { id } = values
  const mayCreate = unmetCondition(condition, undefined) === undefined
  for (let attempt = 1; attempt <= maxWriteAttempts; attempt++) {
    if (condition.ifNoneMatch !== '*') {
      const updated = await update(sql, values, condition)
      if (updated !== undefined) return { document: updated, created: false }
    }
    const created = mayCreate ? await insert(sql, values) : undefined
    if (created !== undefined) return { document: created, created: true }
    assertCondition(id, condition, await findVersion(sql, id))
  }
  throw contended()
}

/** @returns whether the document existed */
async function remove(sql: SQL, id: string, condition: Condition): Promise<boolean> {
  for (let attempt = 1; attempt <= maxWriteAttempts; attempt++) {
    const { count } = await sql`delete from documents where id = ${id} ${andMeets(sql, condition)}`
    if (count > 0) return true
    if (condition.ifMatch === undefined && condition.ifNoneMatch === undefined) return false
    const version = await findVersion(sql, id)
    if (version === undefined) return false
    assertCondition(id, condition, version)
  }
  throw contended()
}

/** The current version of a document; undefined when it does not exist. */
async function findVersion(sql: SQL, id: string): Promise<string | undefined> {
  const [row] = await sql<Pick<Row, 'version'>[]>`select version from documents where id = ${id}`
  return row?.version
}

const contended = () =>
  new DatabaseUnavailable('busy', 'other clients keep creating, replacing and deleting this document')

/** The condition for the statement that writes: the row is locked while it is evaluated. */
function andMeets(sql: SQL, { ifMatch = '*', ifNoneMatch = [] }: Condition) {
  const versions = (set: VersionSet) => sql.array([...set], 'TEXT')
  const isOneOf = ifMatch === '*' ? sql`` : sql`and version = any(${versions(ifMatch)})`
  if (ifNoneMatch === '*') return sql`and false`
  return ifNoneMatch.length === 0 ? isOneOf : sql`${isOneOf} and version <> all(${versions(ifNoneMatch)})`
}

function fromRow(row: Row): Document {
  return {
    id: row.id,
    body: row.body,
    version: row.version,
    position: row.seq,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  }
}
