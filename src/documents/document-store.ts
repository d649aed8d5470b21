import type { Idempotency, IdempotencyMismatch } from '../database/idempotency.ts'
import { InvalidCursor } from '../database/invalid-cursor.ts'

/** The most characters of an id. */
export const maxIdLength = 128
/** RFC 3986's unreserved characters: such an id is the same in a path, encoded or not. */
const idPattern = new RegExp(`^[A-Za-z0-9._~-]{1,${maxIdLength}}$`)
/** The most characters of a document's text. HTTP accepts less, and both engines accept more. */
export const maxBodyLength = 64 * 1024 * 1024
/** The most documents of a page, and the size at which a page ends early. A page always has at least one document. */
export const maxPageDocuments = 1_000
export const maxPageBytes = 16 * 1024 * 1024

/** A document to be stored. */
export interface Draft {
  /** The key, in its canonical form: `7` and `"7"` are the text `7`. `isDocumentId` must accept it. */
  readonly id: string
  /** JSON text. The store neither parses nor rewrites it; it returns every character unchanged. */
  readonly body: string
}

/** A stored document. */
export interface Document extends Draft {
  /** Changes with every write and is never reused, even when the id is deleted and created again: an ETag. */
  readonly version: string
  /** The place in the order of creation: a growing decimal number that is never reused. A replacement keeps it. */
  readonly position: string
  /** Milliseconds since the epoch, by the clock of the instance that wrote the document. */
  readonly createdAt: number
  readonly updatedAt: number
}

export interface Created {
  readonly document: Document
  /** True when nothing was written: this repeats the first answer to the same idempotency key. */
  readonly replayed: boolean
}

export interface Replaced {
  readonly document: Document
  /** True when the id was free before. */
  readonly created: boolean
}

export interface PageRequest {
  /** 1 to maxPageDocuments. */
  readonly limit: number
  /** Continue after this position: the `next` of an earlier page. Default: from the first document. */
  readonly after?: string | undefined
  /** Not beyond this position. Default: to the last document. */
  readonly until?: string | undefined
  /** The size at which the page ends early, in bytes. Default and most: maxPageBytes. */
  readonly maxBytes?: number | undefined
}

export interface Page {
  /** In order of creation. Fewer than the limit at the end, or when maxPageBytes is reached. */
  readonly documents: readonly Document[]
  /** Where the next page continues; undefined on the last page. */
  readonly next: string | undefined
}

/** The extent of a page, without its documents. */
export interface PageExtent {
  /** The position of its last document; undefined when it has none. */
  readonly last: string | undefined
  /** As of the page. */
  readonly next: string | undefined
  readonly count: number
  /** Bytes of all its bodies. */
  readonly bytes: number
  /** Bytes of the largest of them. */
  readonly largestBytes: number
}

/** Some versions, or `*`: any version that exists. */
export type VersionSet = readonly string[] | '*'

/** A precondition of a request on a document. */
export interface Condition {
  /** The document has one of these versions: HTTP's If-Match. */
  readonly ifMatch?: VersionSet | undefined
  /** The document has another version, or does not exist: HTTP's If-None-Match. */
  readonly ifNoneMatch?: VersionSet | undefined
}

/**
 * Documents that outlive the process.
 *
 * What every adapter promises:
 * - A confirmed write survives `kill -9` of every process, and a restart of the database.
 * - Every write is atomic, and writes to one document happen one after the other, also from several processes.
 * - Any call can fail with StoreUnavailable, and only with that while the database is unavailable. It fails at once when
 *   PostgreSQL refuses, after the connect timeout when it does not answer, after the call timeout when a connection
 *   falls silent during a call, and at once for a second after either timeout. When the database is back, calls succeed
 *   without a restart.
 * - After StoreUnavailable a write may or may not have been executed, because the connection can break between the
 *   commit and its confirmation. Repeating it is safe for `create` (with an idempotency key, or with an id of the
 *   caller, which is then taken), `replace` and `delete`.
 * - No error contains the address or the password of the database.
 */
export interface DocumentStore {
  /**
   * Stores a new document.
   *
   * With `idempotency`, the key is saved in the same transaction for idempotencyRetentionMs. The same key with the same
   * fingerprint returns the first document as it was then (`replayed`), even if it has changed since and the draft has
   * another id. Many such calls at once create one document. Only success is saved.
   *
   * @throws DocumentExists when the id is taken
   * @throws IdempotencyMismatch when the key was used with another fingerprint
   * @throws RangeError when the draft cannot be stored (assertStorable)
   */
  create(draft: Draft, idempotency?: Idempotency): Promise<Created>

  /** The document, or undefined when the id is free. Any text is allowed. */
  get(id: string): Promise<Document | undefined>

  /**
   * A page in order of creation, by keyset on an index: every page costs the same, however many came before it.
   *
   * A document that was confirmed before the first page was requested, and is not deleted meanwhile, is in exactly one
   * page. A document that is created meanwhile may be missing: PostgreSQL assigns positions before the commit, so a
   * transaction that commits late can get a position that a reader has already passed, and a reader that always
   * continues from the last `next` misses it. SQLite writes one after the other, so this cannot happen there.
   *
   * @throws InvalidCursor when `after` is not a position
   * @throws RangeError when the limit is out of bounds
   */
  list(request: PageRequest): Promise<Page>

  /**
   * The extent of the page that `list` would give: for one that is read in parts, up to its `last`. Costs no reading of
   * bodies.
   *
   * @throws InvalidCursor when `after` is not a position
   * @throws RangeError when the limit is out of bounds
   */
  measure(request: Pick<PageRequest, 'limit' | 'after'>): Promise<PageExtent>

  /**
   * Stores a body under an id, whether or not the id is taken. A condition is checked in the step that writes.
   *
   * @throws PreconditionFailed when the condition is not met; then nothing has changed
   * @throws RangeError when the id or the body cannot be stored (assertStorable)
   */
  replace(id: string, body: string, condition?: Condition): Promise<Replaced>

  /**
   * Deletes a document. A condition is checked in the step that deletes.
   *
   * @returns whether it existed. Of a missing document no condition is checked: the failure comes first (RFC 9110 §13.2.1).
   * @throws PreconditionFailed when the condition is not met; then nothing has changed
   */
  delete(id: string, condition?: Condition): Promise<boolean>

  /** Resolves when the database would store a document. Writes nothing. */
  ping(): Promise<void>

  /** Completes calls in flight, then closes. Later calls fail with StoreUnavailable. A second call returns the same promise. */
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

/** The document does not meet a condition of the caller. */
export class PreconditionFailed extends Error {
  override readonly name = 'PreconditionFailed'
  readonly code = 'precondition-failed'
  constructor(
    readonly id: string,
    readonly condition: keyof Condition,
  ) {
    super(`the document with the id ${JSON.stringify(id)} does not meet ${condition}`)
  }
}

/**
 * Evaluates a condition, in the order of RFC 9110 §13.2.2.
 *
 * @param version of the document; undefined when it does not exist
 * @returns the first part that is not met
 * @example unmetCondition({ ifNoneMatch: '*' }, 'a') // 'ifNoneMatch'
 */
export function unmetCondition(
  { ifMatch, ifNoneMatch }: Condition,
  version: string | undefined,
): keyof Condition | undefined {
  const isIn = (versions: VersionSet): boolean =>
    version !== undefined && (versions === '*' || versions.includes(version))
  if (ifMatch !== undefined && !isIn(ifMatch)) return 'ifMatch'
  return ifNoneMatch !== undefined && isIn(ifNoneMatch) ? 'ifNoneMatch' : undefined
}

/** @throws PreconditionFailed when a document with this version, or none, does not meet the condition */
export function assertCondition(id: string, condition: Condition, version: string | undefined): void {
  const unmet = unmetCondition(condition, version)
  if (unmet !== undefined) throw new PreconditionFailed(id, unmet)
}

/** The store cannot do this now; a retry may succeed. The cause is for the log, not for clients. */
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
 * Whether a text can be the id of a document: 1 to maxIdLength characters of RFC 3986's unreserved set, except `.` and
 * `..`, which clients and proxies remove from a path.
 *
 * @example isDocumentId('a/b') // false
 */
export function isDocumentId(text: string): boolean {
  return idPattern.test(text) && text !== '.' && text !== '..'
}

/**
 * Checks that a store can keep a draft unchanged.
 *
 * @throws RangeError when the id is invalid, or the body is empty, too long, or not text that UTF-8 and both engines keep
 */
export function assertStorable({ id, body }: Draft): void {
  if (!isDocumentId(id))
    throw new RangeError(`an id has 1 to ${maxIdLength} characters of A-Z a-z 0-9 . _ ~ -`)
  if (body.length < 1 || body.length > maxBodyLength)
    throw new RangeError(`a document has 1 to ${maxBodyLength} characters`)
  // UTF-8 has no lone surrogates (they would silently become U+FFFD), and PostgreSQL's text has no NUL.
  if (!body.isWellFormed() || body.includes('\0'))
    throw new RangeError('a document is text without lone surrogates and NUL; JSON writes them as escapes')
}

/**
 * Checks the limit and the position of a page.
 *
 * @throws RangeError when the limit is not a whole number from 1 to maxPageDocuments
 * @throws InvalidCursor when `after` is not a position
 */
export function assertPageRequest({ limit, after }: PageRequest): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > maxPageDocuments)
    throw new RangeError(`a page has 1 to ${maxPageDocuments} documents`)
  // Numbers of up to 18 digits fit into the 64-bit integers of both engines.
  if (after !== undefined && !/^(0|[1-9][0-9]{0,17})$/.test(after)) throw new InvalidCursor()
}

/**
 * The extent of a page.
 *
 * @param ahead position and size of the documents of a page and of one more, if there are, in order
 */
export function toPageExtent(
  ahead: Iterable<{ readonly seq: number | string; readonly bytes: number }>,
  limit: number,
): PageExtent {
  let extent: PageExtent = { last: undefined, next: undefined, count: 0, bytes: 0, largestBytes: 0 }
  for (const { seq, bytes } of ahead) {
    const { last, count } = extent
    if (last !== undefined && (count === limit || extent.bytes + bytes > maxPageBytes))
      return { ...extent, next: last }
    extent = {
      last: `${seq}`,
      next: undefined,
      count: count + 1,
      bytes: extent.bytes + bytes,
      largestBytes: Math.max(extent.largestBytes, bytes),
    }
  }
  return extent
}

/** Creates a version that no other write has or will have: 96 random bits, in characters that an ETag need not quote. */
export function createVersion(): string {
  return crypto.getRandomValues(new Uint8Array(12)).toBase64({ alphabet: 'base64url' })
}
