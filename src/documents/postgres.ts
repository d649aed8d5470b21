import type { SQL, TransactionSQL } from 'bun'
import { DatabaseUnavailable } from '../database/errors.ts'
import type { Idempotency } from '../database/idempotency.ts'
import { PostgresIdempotency } from '../database/postgres/idempotency-keys.ts'
import type { PostgresPool } from '../database/postgres/pool.ts'
import {
  assertPageRequest,
  assertStorable,
  type Condition,
  type Created,
  type Document,
  DocumentExists,
  type DocumentStore,
  type Draft,
  isDocumentId,
  newVersion,
  PAGE_BYTES_MAX,
  type Page,
  type PageRequest,
  PreconditionFailed,
  type Replaced,
} from './document-store.ts'
import { asStore } from './map-database-errors.ts'

/** 64-bit integers arrive as text. */
interface Row {
  seq: string
  id: string
  body: string
  version: string
  created_at: string
  updated_at: string
}

/** How often an upsert goes round when others create and delete the same id between its two halves. */
const UPSERT_ATTEMPTS_MAX = 5

/**
 * Documents in PostgreSQL.
 *
 * What is repeated when a connection breaks: reads; and `create`, because it recognizes its own first attempt, by the
 * random version it wrote or by its idempotency key. `replace` and `delete` are not: carried out a second time they
 * could undo what somebody else wrote in between, so the caller, who knows, decides.
 */
export class PostgresDocumentStore implements DocumentStore {
  readonly #pool: PostgresPool
  readonly #now: () => number
  readonly #idempotency = new PostgresIdempotency()

  /** @param now milliseconds since the epoch */
  constructor(pool: PostgresPool, now: () => number) {
    this.#pool = pool
    this.#now = now
  }

  create(draft: Draft, idempotency?: Idempotency): Promise<Created> {
    return asStore(async () => {
      assertStorable(draft)
      const now = this.#now()
      const wanted = { ...draft, version: newVersion(), createdAt: now, updatedAt: now }
      return await this.#pool.run(
        (sql) => (idempotency ? this.#createOnce(sql, wanted, idempotency) : createPlainly(sql, wanted)),
        true,
      )
    })
  }

  get(id: string): Promise<Document | undefined> {
    return asStore(async () => {
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
    return asStore(async () => {
      assertPageRequest(request)
      const { limit, after = '0' } = request
      // One row more than the page tells whether there is a next one; octet_length does not read the text itself.
      const rows = await this.#pool.run(
        async (sql) =>
          await sql<(Row & { found: number })[]>`
          select seq, id, body, version, created_at, updated_at, found from (
            select *, count(*) over ()::int as found, row_number() over upwards as place,
              sum(octet_length(body)) over upwards as bytes
            from (select * from documents where seq > ${after} order by seq limit ${limit + 1}) as ahead
            window upwards as (order by seq rows unbounded preceding)
          ) as measured
          where place = 1 or (place <= ${limit} and bytes <= ${PAGE_BYTES_MAX}) order by seq`,
        true,
      )
      const documents = rows.map(fromRow)
      const more = (rows[0]?.found ?? 0) > documents.length
      return { documents, next: more ? documents.at(-1)?.position : undefined }
    })
  }

  replace(id: string, body: string, condition: Condition = {}): Promise<Replaced> {
    return asStore(async () => {
      assertStorable({ id, body })
      const now = this.#now()
      const wanted = { id, body, version: newVersion(), createdAt: now, updatedAt: now }
      return await this.#pool.run(
        (sql) =>
          condition.ifMatch === undefined ? upsert(sql, wanted) : update(sql, wanted, condition.ifMatch),
        false,
      )
    })
  }

  delete(id: string, condition: Condition = {}): Promise<boolean> {
    return asStore(async () => {
      const { ifMatch } = condition
      const deleted =
        isDocumentId(id) &&
        (await this.#pool.run(
          async (sql) =>
            (await sql`delete from documents where id = ${id} ${andVersion(sql, ifMatch)}`).count > 0,
          false,
        ))
      if (!deleted && ifMatch !== undefined) throw new PreconditionFailed(id)
      return deleted
    })
  }

  ping(): Promise<void> {
    return asStore(() => this.#pool.ping())
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  /** The key is taken first, so that of many requests with one key only the first gets to write. */
  async #createOnce(sql: SQL, wanted: Wanted, idempotency: Idempotency): Promise<Created> {
    return await sql.begin(async (transaction) => {
      const first = await this.#idempotency.take(transaction, idempotency, '', wanted.createdAt)
      if (first !== undefined) {
        const document = JSON.parse(first) as Document
        return { document, replayed: document.version !== wanted.version }
      }
      const document = await insert(transaction, wanted)
      if (document === undefined) throw new DocumentExists(wanted.id)
      await this.#idempotency.keep(transaction, idempotency, JSON.stringify(document))
      return { document, replayed: false }
    })
  }
}

type Wanted = Omit<Document, 'position'>

/** A conflict with our own version is the first attempt, whose confirmation was lost: it succeeded. */
async function createPlainly(sql: SQL, wanted: Wanted): Promise<Created> {
  const document = (await insert(sql, wanted)) ?? (await findOwn(sql, wanted))
  if (document === undefined) throw new DocumentExists(wanted.id)
  return { document, replayed: false }
}

/** @returns undefined when the id is taken */
async function insert(sql: SQL | TransactionSQL, wanted: Wanted): Promise<Document | undefined> {
  const { id, body, version, createdAt, updatedAt } = wanted
  const [row] = await sql<{ seq: string }[]>`
    insert into documents (id, body, version, created_at, updated_at)
    values (${id}, ${body}, ${version}, ${createdAt}, ${updatedAt})
    on conflict (id) do nothing returning seq`
  return row && { ...wanted, position: row.seq }
}

async function findOwn(sql: SQL, wanted: Wanted): Promise<Document | undefined> {
  const [row] = await sql<{ seq: string }[]>`
    select seq from documents where id = ${wanted.id} and version = ${wanted.version}`
  return row && { ...wanted, position: row.seq }
}

async function update(sql: SQL, wanted: Wanted, ifMatch: readonly string[] | '*'): Promise<Replaced> {
  const [row] = await sql<Pick<Row, 'seq' | 'created_at'>[]>`
    update documents set body = ${wanted.body}, version = ${wanted.version}, updated_at = ${wanted.updatedAt}
    where id = ${wanted.id} ${andVersion(sql, ifMatch)} returning seq, created_at`
  if (row === undefined) throw new PreconditionFailed(wanted.id)
  return { document: { ...wanted, position: row.seq, createdAt: Number(row.created_at) }, created: false }
}

/** Update, else insert: unlike `on conflict do update` it tells which it was, and draws no position for an update. */
async function upsert(sql: SQL, wanted: Wanted): Promise<Replaced> {
  for (let attempt = 1; attempt <= UPSERT_ATTEMPTS_MAX; attempt++) {
    try {
      return await update(sql, wanted, '*')
    } catch (error) {
      if (!(error instanceof PreconditionFailed)) throw error
    }
    const document = await insert(sql, wanted)
    if (document !== undefined) return { document, created: true }
  }
  throw new DatabaseUnavailable('busy', 'the document is created and deleted by others all the time')
}

function andVersion(sql: SQL, ifMatch: Condition['ifMatch']) {
  return ifMatch === undefined || ifMatch === '*'
    ? sql``
    : sql`and version = any(${sql.array([...ifMatch], 'TEXT')})`
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
