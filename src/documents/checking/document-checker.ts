import { programUrl } from '../../threads/program-url.ts'
import { JobTimedOut, ThreadPool } from '../../threads/thread-pool.ts'
import { compileDocumentSchema } from '../schema/json-schema.ts'
import { checkDocument, type DocumentResult } from './check-document.ts'

/** A document for a thread to check. */
export interface CheckJob {
  readonly bytes: Uint8Array
  readonly isKeyed: boolean
}

/** Checks documents before they are stored: on the event loop where that is fast, else on a thread. */
export interface DocumentChecker {
  /**
   * @param bytes the body of a request; empty afterwards when a thread has checked it
   * @param options.isKeyed whether the request has an Idempotency-Key
   * @param options.signal called if a thread checks the document; the signal aborts the check
   * @throws CheckTimedOut; PoolFull, WorkerExited, or the signal's reason when it aborts
   */
  check(bytes: Uint8Array, options: CheckOptions): DocumentResult | Promise<DocumentResult>
  /** Ends the threads. Unfinished checks are rejected. */
  close(): void
}

export interface CheckOptions {
  readonly isKeyed: boolean
  readonly signal?: (() => AbortSignal) | undefined
}

export interface DocumentCheckerOptions {
  /** A JSON Schema that every document must satisfy, parsed from JSON. Default: any object is a document. */
  readonly schema?: unknown
  /** The largest number of threads. They are started when needed. */
  readonly maxThreads: number
  /** Larger documents, in bytes, are checked by a thread. Default: depends on the schema. */
  readonly inlineMaxBytes?: number | undefined
  /** How long one check on a thread may take, in ms. Default 3,000. */
  readonly timeoutMs?: number | undefined
}

/** A document was not checked in time. */
export class CheckTimedOut extends Error {
  override readonly name = 'CheckTimedOut'
  readonly code = 'validation-timeout'
  constructor(readonly timeoutMs: number) {
    super(`the document was not checked within ${timeoutMs} ms`)
  }
}

/** Larger documents would delay other requests: parsing takes longer than any other step here. */
const parsedInlineMaxBytes = 64 * 1024
/** With a schema, whose cost for each byte is not known. */
const validatedInlineMaxBytes = 8 * 1024

/** Checks that may wait for a thread. */
const maxWaiting = 1_000
/** How long an idle thread is kept, in ms: compiling a schema again costs more than the memory of a thread. */
const idleMs = 30_000

/**
 * Opens the checker of documents.
 *
 * With a schema whose cost may be exponential every document is checked by a thread, because only the end of its thread
 * ends a validation.
 *
 * @throws as compileDocumentSchema
 */
export async function openDocumentChecker(options: DocumentCheckerOptions): Promise<DocumentChecker> {
  const { schema: source, maxThreads, timeoutMs = 3_000 } = options
  const schema = source === undefined ? undefined : await compileDocumentSchema(source)
  const inlineMaxBytes = options.inlineMaxBytes ?? findInlineMaxBytes(schema)
  const pool = new ThreadPool<CheckJob>({
    start: () => {
      const url = programUrl('document-worker', import.meta.url)
      return new Worker(url, { argv: [JSON.stringify(source ?? null)], ref: false, smol: true })
    },
    announcesReady: true,
    maxThreads,
    maxWaiting,
    idleMs,
  })
  return {
    check(bytes, { isKeyed, signal }) {
      if (bytes.length <= inlineMaxBytes) return checkDocument(bytes, isKeyed, schema)
      // A view may share its buffer with others, which would become empty as well.
      const own = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice()
      const transfer = [own.buffer as ArrayBuffer]
      return pool
        .run<DocumentResult>({ bytes: own, isKeyed }, { transfer, signal: signal?.(), timeoutMs })
        .catch((error: unknown) => {
          throw error instanceof JobTimedOut ? new CheckTimedOut(timeoutMs) : error
        })
    },
    close: () => pool.close(),
  }
}

function findInlineMaxBytes(schema: { readonly linear: boolean } | undefined): number {
  if (schema === undefined) return parsedInlineMaxBytes
  return schema.linear ? validatedInlineMaxBytes : -1
}
