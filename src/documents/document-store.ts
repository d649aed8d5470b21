import type { Idempotency, IdempotencyMismatch } from '../database/idempotency.ts'
import { InvalidCursor } from '../database/invalid-cursor.ts'

/** Characters of an id. */
export const ID_LENGTH_MAX = 128
/** RFC 3986's unreserved characters: such an id is the same in a path, encoded or not. */
const ID = new RegExp(`^[A-Za-z0-9._~-]{1,${ID_LENGTH_MAX}}$`)
/** Characters of a document's text: above what HTTP lets in, below what either engine refuses. */
export const BODY_LENGTH_MAX = 64 * 1024 * 1024
/** Documents of one page, and the text after which a page ends early (it always has at least one document). */
export const PAGE_DOCUMENTS_MAX = 1_000
export const PAGE_BYTES_MAX = 16 * 1024 * 1024

/** What the caller wants kept. */
export interface Draft {
  /** The key, in its one canonical form: `7` and `"7"` are the text `7`. One that `isDocumentId` accepts. */
  readonly id: string
  /** JSON text. The store neither parses nor rewrites it: it comes back character by character. */
  readonly body: string
}

/** A document as it is kept. */
export interface Document extends Draft {
  /** Changes with every write and never comes back, also not when the id is deleted and created again: an ETag. */
  readonly version: string
  /** Its place in the order of creation: a decimal number, growing, never given twice. A replacement keeps it. */
  readonly position: string
  /** Milliseconds since the epoch, by the clock of the instance that wrote. */
  readonly createdAt: number
  readonly updatedAt: number
}

export interface Created {
  readonly document: Document
  /** True when nothing was written: this is the first answer to the same idempotency key. */
  readonly replayed: boolean
}

export interface Replaced {
  readonly document: Document
  /** True when there was no document of that id before. */
  readonly created: boolean
}

export interface PageRequest {
  /** 1 to PAGE_DOCUMENTS_MAX. */
  readonly limit: number
  /** Continue after this position, one that a page gave as `next`. From the first document when left out. */
  readonly after?: string | undefined
}

export interface Page {
  /** In order of creation. Fewer than asked for at the end, or where PAGE_BYTES_MAX is reached. */
  readonly documents: readonly Document[]
  /** Where the next page continues; undefined when there was nothing more. */
  readonly next: string | undefined
}

export interface Condition {
  /** Write only over one of these versions, or over any that exists (`*`): HTTP's If-Match. */
  readonly ifMatch?: readonly string[] | '*' | undefined
}

/**
 * Documents that outlive the process.
 *
 * What every adapter promises:
 * - A write that was confirmed is there after `kill -9` of every process, and after a restart of the database.
 * - Every write is atomic, and writes to one document happen one after the other, also from several processes.
 * - Any call can fail with StoreUnavailable, and only that while the database is away: at once when PostgreSQL
 *   refuses, in 1.5 s when nobody answers at its address, in 4 s when a connection falls silent in mid-call, and at once
 *   for the second after either. When it is back, calls succeed again without a restart.
 * - After StoreUnavailable a write may or may not have been carried out: the connection can break between the commit
 *   and its confirmation. Repeating it is safe for `create` (with an idempotency key, or an id of the caller's own,
 *   which is then taken), `replace` and `delete`.
 * - Nothing of the database's address or password is in any error.
 */
export interface DocumentStore {
  /**
   * Keeps a new document.
   *
   * With `idempotency`, the key is remembered in the same transaction for IDEMPOTENCY_KEPT_MS: the same key with the
   * same fingerprint gives the first document again as it was then (`replayed`), whatever became of it since and
   * whatever the draft's id is now; also when many such calls run at once, there is one document. Only success is
   * remembered.
   *
   * @throws DocumentExists when the id is taken
   * @throws IdempotencyMismatch when the key was used with another fingerprint
   * @throws RangeError when the draft is not storable (assertStorable)
   */
  create(draft: Draft, idempotency?: Idempotency): Promise<Created>

  /** The document, or undefined when there is none of that id; any text may be asked for. */
  get(id: string): Promise<Document | undefined>

  /**
   * A page in order of creation, by keyset on an index: a page in the millions costs what the first page costs.
   *
   * A document that was confirmed before the first page was asked for, and is not deleted meanwhile, is in exactly one
   * page. One that is being created meanwhile may or may not be: on PostgreSQL positions are drawn before the commit,
   * so a transaction that commits late can appear before a position that was already passed, and who only ever
   * continues from the last `next` misses it. On SQLite writes are serial and that cannot happen.
   *
   * @throws InvalidCursor when `after` is not a position
   * @throws RangeError when the limit is out of bounds
   */
  list(request: PageRequest): Promise<Page>

  /**
   * Puts a body under an id, whether there was a document or not; with `ifMatch` only over a version named there.
   *
   * @throws PreconditionFailed with `ifMatch`, when the version is another or there is no document
   * @throws RangeError when id or body are not storable (assertStorable)
   */
  replace(id: string, body: string, condition?: Condition): Promise<Replaced>

  /**
   * Deletes a document.
   *
   * @returns whether there was one
   * @throws PreconditionFailed as `replace`
   */
  delete(id: string, condition?: Condition): Promise<boolean>

  /** Resolves when a call would find the database working. */
  ping(): Promise<void>

  /** Finishes what was begun, then closes. Later calls fail with StoreUnavailable. Twice is the same promise. */
  close(): Promise<void>
}

/** The id is taken. */
export class DocumentExists extends Error {
  override readonly name = 'DocumentExists'
  readonly code = 'document-exists'
  constructor(readonly id: string) {
    super(`a document with the id ${JSON.stringify(id)} already exists`)
  }
}

/** The document has none of the versions that the caller named, or does not exist. */
export class PreconditionFailed extends Error {
  override readonly name = 'PreconditionFailed'
  readonly code = 'precondition-failed'
  constructor(readonly id: string) {
    super(`the document with the id ${JSON.stringify(id)} does not have the expected version`)
  }
}

/** The store cannot do this now; a later try may succeed. The cause is for the log, not for clients. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  readonly code = 'store-unavailable'
  constructor(
    /** How soon a client may try again. */
    readonly retryAfterSeconds: number,
    options: ErrorOptions,
  ) {
    super('the document store is unavailable', options)
  }
}

/** The errors that callers of a DocumentStore handle. Each has its own `code`. */
export type DocumentStoreError =
  | DocumentExists
  | IdempotencyMismatch
  | InvalidCursor
  | PreconditionFailed
  | StoreUnavailable

/**
 * Whether a text can be the id of a document: 1 to ID_LENGTH_MAX characters of RFC 3986's unreserved set, without `.`
 * and `..`, which clients and proxies take out of a path.
 *
 * @example isDocumentId('a/b') // false
 */
export function isDocumentId(text: string): boolean {
  return ID.test(text) && text !== '.' && text !== '..'
}

/**
 * Refuses what a store cannot keep as it is.
 *
 * @throws RangeError when the id is none, or the body is empty, too long, or not text that UTF-8 and both engines keep
 */
export function assertStorable({ id, body }: Draft): void {
  if (!isDocumentId(id))
    throw new RangeError(`an id has 1 to ${ID_LENGTH_MAX} characters of A-Z a-z 0-9 . _ ~ -`)
  if (body.length < 1 || body.length > BODY_LENGTH_MAX) {
    throw new RangeError(`a document has 1 to ${BODY_LENGTH_MAX} characters`)
  }
  // UTF-8 has no lone surrogates (they would become U+FFFD unseen), PostgreSQL's text no NUL.
  if (!body.isWellFormed() || body.includes('\0')) {
    throw new RangeError('a document is text without lone surrogates and NUL; JSON writes them as escapes')
  }
}

/** @throws RangeError when the limit is not a whole number from 1 to PAGE_DOCUMENTS_MAX; InvalidCursor */
export function assertPageRequest({ limit, after }: PageRequest): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_DOCUMENTS_MAX) {
    throw new RangeError(`a page has 1 to ${PAGE_DOCUMENTS_MAX} documents`)
  }
  // Up to 18 digits fit into the 64-bit integers of both engines.
  if (after !== undefined && !/^(0|[1-9][0-9]{0,17})$/.test(after)) throw new InvalidCursor()
}

/** A version that no other write has or will have: 96 random bits, in characters that need no quoting in an ETag. */
export function newVersion(): string {
  return crypto.getRandomValues(new Uint8Array(12)).toBase64({ alphabet: 'base64url' })
}
