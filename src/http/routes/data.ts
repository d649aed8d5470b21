import { zValidator } from '@hono/zod-validator'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { concatBlocks } from '../../analysis/pool/concat-blocks.ts'
import { type CheckedDocument, idRule } from '../../documents/checking/check-document.ts'
import type { DocumentChecker } from '../../documents/checking/document-checker.ts'
import { insertId } from '../../documents/document-json.ts'
import {
  type DocumentStore,
  isDocumentId,
  maxPageDocuments,
  type PageRequest,
  PreconditionFailed,
  unmetCondition,
} from '../../documents/document-store.ts'
import type { Log } from '../../telemetry/log/log.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import { assertUnanswered, contentLength, incompleteBody, readBody } from '../body/json-body.ts'
import type { LargeBodies } from '../body/large-body.ts'
import type { Env } from '../env.ts'
import { formatEtag } from '../headers/etag.ts'
import { parseIdempotencyKey } from '../headers/idempotency-key.ts'
import { decodeCursor, nextLink } from '../headers/link.ts'
import { parsePreconditions } from '../headers/preconditions.ts'
import { holdResponse, largeResponseThreshold } from '../large-response.ts'
import { inputProblem, ProblemError } from '../problem.ts'
import { respondJsonStream, respondJsonText } from '../respond.ts'
import { invalidQuery, pageCursor, pageLimit } from '../validate.ts'

export interface DataDeps {
  /** Compresses large responses, where that is on. */
  readonly compress: MiddlewareHandler<Env>
  readonly store: DocumentStore
  /** Checks documents before they are stored. */
  readonly checker: Pick<DocumentChecker, 'check'>
  readonly limits: { readonly maxDocumentBytes: number }
  readonly largeBodies: LargeBodies
  readonly metrics: Pick<Metrics, 'countDocument'>
  readonly log: Pick<Log, 'error'>
}

/** A stored document: any JSON object. */
// biome-ignore lint/suspicious/noExplicitAny: members of any JSON type, for the typed client
export type JsonDocument = { id?: string | number; [member: string]: any }

const listQuery = z.lazy(() =>
  z.strictObject({ limit: pageLimit(maxPageDocuments), cursor: pageCursor(100) }),
)

/**
 * /data: JSON documents. A document is stored and returned as the text that was sent, so its numbers survive with
 * any size and precision.
 */
export function dataRoutes({ store, checker, limits, largeBodies, metrics, log, compress }: DataDeps) {
  const document = documentBody(checker, largeBodies, limits.maxDocumentBytes)

  return new Hono<Env>()
    .get('/data', compress, zValidator('query', listQuery, invalidQuery), async (c) => {
      const { limit, cursor } = c.req.valid('query')
      const after = cursor === undefined ? undefined : decodeCursor(cursor)
      const request = { limit, after }
      const link = (next: string | undefined) => nextLink(c.req.path, { limit }, next)
      // Without the bodies, so that a page that is refused for its size costs next to nothing.
      const extent = await store.measure(request)
      if (extent.bytes <= largeResponseThreshold) {
        const { documents, next } = await store.list(request)
        const parts = documents.flatMap((one, i) => (i === 0 ? [one.body] : [',', one.body]))
        return respondJsonText<JsonDocument[]>(c, ['[', ...parts, ']'], 200, link(next))
      }
      return respondJsonStream<JsonDocument[]>(
        c,
        {
          length: extent.bytes + extent.count + 1,
          heldBytes: Math.max(largeResponseThreshold, extent.largestBytes) + 1,
          texts: readPage(store, { ...request, until: extent.last }),
          onError: (error) =>
            log.error('response ended incomplete', { request_id: c.get('request').requestId, error }),
        },
        link(extent.next),
      )
    })
    .post('/data', document, async (c) => {
      const { text, id: sentId, fingerprint } = c.req.valid('json')
      const idempotency = parseIdempotencyKey(
        c.req.header('idempotency-key'),
        'POST /data',
        c.get('request').client,
        () => fingerprint ?? '',
      )
      holdResponse(c.get('request'), text.length)
      const id = sentId ?? Bun.randomUUIDv7()
      const draft = { id, body: sentId === undefined ? insertId(text, id) : text }
      const { document: created, replayed } = await store.create(draft, idempotency)
      if (!replayed) metrics.countDocument()
      return respondJsonText<{ message: 'created'; item: JsonDocument }, 201>(
        c,
        ['{"message":"created","item":', created.body, '}'],
        201,
        { location: `${c.req.path}/${created.id}`, etag: formatEtag(created.version) },
      )
    })
    .get('/data/:id', compress, async (c) => {
      const found = await store.get(c.req.param('id'))
      if (found === undefined) throw notFound()
      const headers = { etag: formatEtag(found.version) }
      const unmet = unmetCondition(parsePreconditions('GET', c.req.raw.headers), found.version)
      if (unmet === 'ifMatch') throw new PreconditionFailed(found.id, unmet)
      if (unmet === 'ifNoneMatch') {
        c.get('request').responseSize = found.body.length
        return c.body(null, 304, headers)
      }
      return respondJsonText<JsonDocument>(c, [found.body], 200, headers)
    })
    .put('/data/:id', documentId, document, async (c) => {
      const { id } = c.req.valid('param')
      const { text, id: sentId } = c.req.valid('json')
      if (sentId !== undefined && sentId !== id) throw idMismatch()
      holdResponse(c.get('request'), text.length)
      const { document: stored, created } = await store.replace(
        id,
        sentId === undefined ? insertId(text, id) : text,
        parsePreconditions('PUT', c.req.raw.headers),
      )
      if (created) metrics.countDocument()
      return respondJsonText<JsonDocument, 200 | 201>(c, [stored.body], created ? 201 : 200, {
        etag: formatEtag(stored.version),
      })
    })
    .delete('/data/:id', documentId, async (c) => {
      const { id } = c.req.valid('param')
      const isDeleted = await store.delete(id, parsePreconditions('DELETE', c.req.raw.headers))
      if (!isDeleted) throw notFound()
      return c.body(null, 204)
    })
}

/**
 * The documents of a page as JSON, read from the store in parts. Each part is forgotten before the next is read.
 *
 * @param until the position of the page's last document
 */
async function* readPage(store: DocumentStore, { limit, after, until }: PageRequest): AsyncGenerator<string> {
  let separator = '['
  let left = limit
  let from = after
  do {
    await nextTurn()
    const part = await store.list({ limit: left, after: from, until, maxBytes: largeResponseThreshold })
    left -= part.documents.length
    from = part.next
    for (const { body } of part.documents) {
      yield separator
      yield body
      separator = ','
    }
  } while (from !== undefined && left > 0)
  yield separator === '[' ? '[]' : ']'
}

const notFound = () => new ProblemError({ code: 'not-found', detail: 'There is no document with this id.' })

const idMismatch = () =>
  new ProblemError({
    code: 'invalid-input',
    detail: '/id differs from the id in the path',
    errors: [{ pointer: '/id', detail: 'differs from the id in the path', code: 'mismatch' }],
  })

let lastTurn = Promise.resolve()

/**
 * Resolves in a separate turn of the event loop: other requests are answered between any two parts, even when many
 * clients read lists.
 */
function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)))
  return lastTurn
}

/** No document can have an invalid id, so there is nothing to write. */
const documentId = zValidator(
  'param',
  z.lazy(() => z.object({ id: z.string().refine(isDocumentId) })),
  ({ success }) => {
    if (!success) throw new ProblemError({ code: 'not-found', detail: `A document id has ${idRule}.` })
  },
)

/** The document that the typed client sends, and its form for a handler. */
interface DocumentInput {
  in: { json: JsonDocument }
  out: { json: CheckedDocument }
}

/** Reads and checks a document: a large one, or one with a schema that may take long, by a thread. */
const documentBody = (checker: DataDeps['checker'], largeBodies: LargeBodies, maxBytes: number) => {
  /** Without a promise where the checker needs none: most documents are small. */
  const check = (c: Context<Env>, bytes: Uint8Array) => {
    const context = c.get('request')
    const result = checker.check(bytes, {
      isKeyed: c.req.header('idempotency-key') !== undefined,
      // Most requests never need a signal, and creating one is expensive.
      signal: () => context.signal,
    })
    if (!(result instanceof Promise)) return result
    return result.catch((error: unknown) => {
      // The request was answered at its deadline: this problem is not sent.
      throw context.signal.aborted ? new ProblemError(incompleteBody) : error
    })
  }
  const receive = async (c: Context<Env>) => {
    const request = c.req.raw
    if (contentLength(request) <= largeBodies.threshold)
      return check(c, await readBody(request, c.get('request'), maxBytes))
    using body = await largeBodies.receive(request, c.get('request'), maxBytes)
    await assertUnanswered(request)
    return await check(c, concatBlocks(body.blocks, body.size))
  }
  return createMiddleware<Env, string, DocumentInput>(async function documentBody(c, next) {
    const result = await receive(c)
    if (!result.ok) throw new ProblemError(inputProblem(result.error))
    c.req.addValidatedData('json', result.document)
    return next()
  })
}
