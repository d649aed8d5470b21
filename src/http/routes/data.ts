import { zValidator } from '@hono/zod-validator'
import { Hono, type MiddlewareHandler } from 'hono'
import { z } from 'zod'
import { fingerprint } from '../../analysis/parse/fingerprint.ts'
import type { ValidationIssue } from '../../analysis/parse/input-error.ts'
import { exceedsDepth, insertId, normalizeId } from '../../documents/document-json.ts'
import {
  type DocumentStore,
  isDocumentId,
  maxIdLength,
  maxPageDocuments,
} from '../../documents/document-store.ts'
import type { DocumentSchema } from '../../documents/json-schema.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import { jsonBody } from '../body/json-body.ts'
import type { Env } from '../env.ts'
import { formatEtag, parseEtags } from '../headers/etag.ts'
import { parseIdempotencyKey } from '../headers/idempotency-key.ts'
import { decodeCursor, nextLink } from '../headers/link.ts'
import { ProblemError } from '../problem.ts'
import { respondJsonText } from '../respond.ts'
import { acceptIf, invalidBody, invalidQuery, pageCursor, pageLimit } from '../validate.ts'

export interface DataDeps {
  /** Compresses large responses, where that is on. */
  readonly compress: MiddlewareHandler<Env>
  readonly store: DocumentStore
  /** What every document must satisfy, beyond being an object. */
  readonly documentSchema?: DocumentSchema | undefined
  readonly limits: { readonly maxDocumentBytes: number }
  readonly metrics: Pick<Metrics, 'countDocument'>
}

/** A stored document: any JSON object. */
// biome-ignore lint/suspicious/noExplicitAny: members of any JSON type, for the typed client
export type JsonDocument = { id?: string | number; [member: string]: any }

/** Nesting levels of a document. */
const maxDepth = 100

const listQuery = z.lazy(() =>
  z.strictObject({ limit: pageLimit(maxPageDocuments), cursor: pageCursor(100) }),
)

/**
 * /data: JSON documents. A document is stored and returned as the text that was sent, so its numbers survive, whatever
 * their size or precision.
 */
export function dataRoutes({ store, documentSchema, limits, metrics, compress }: DataDeps) {
  const body = jsonBody({ maxBytes: limits.maxDocumentBytes })
  const document = zValidator(
    'json',
    bodySchema(documentSchema),
    invalidBody,
    acceptIf((value): value is JsonDocument => documentIssues(value, documentSchema).length === 0),
  )

  return new Hono<Env>()
    .get('/data', compress, zValidator('query', listQuery, invalidQuery), async (c) => {
      const { limit, cursor } = c.req.valid('query')
      const after = cursor === undefined ? undefined : decodeCursor(cursor)
      const { documents, next } = await store.list({ limit, after })
      const parts = documents.flatMap((one, i) => (i === 0 ? [one.body] : [',', one.body]))
      return respondJsonText<JsonDocument[]>(
        c,
        ['[', ...parts, ']'],
        200,
        nextLink(c.req.path, { limit }, next),
      )
    })
    .post('/data', body, document, async (c) => {
      const text = await c.req.text()
      const idempotency = parseIdempotencyKey(c.req.header('idempotency-key'), 'POST /data', () =>
        fingerprint(text),
      )
      const sentId = normalizeId(c.req.valid('json').id)
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
      const known = parseEtags(c.req.header('if-none-match'))
      if (known === '*' || known?.includes(found.version)) return c.body(null, 304, headers)
      return respondJsonText<JsonDocument>(c, [found.body], 200, headers)
    })
    .put('/data/:id', documentId, body, document, async (c) => {
      const { id } = c.req.valid('param')
      const { id: sentId } = c.req.valid('json')
      if (sentId !== undefined && normalizeId(sentId) !== id) throw idMismatch()
      const text = await c.req.text()
      const { document: stored, created } = await store.replace(
        id,
        sentId === undefined ? insertId(text, id) : text,
        { ifMatch: parseEtags(c.req.header('if-match')) },
      )
      if (created) metrics.countDocument()
      return respondJsonText<JsonDocument, 200 | 201>(c, [stored.body], created ? 201 : 200, {
        etag: formatEtag(stored.version),
      })
    })
    .delete('/data/:id', documentId, async (c) => {
      const { id } = c.req.valid('param')
      const isDeleted = await store.delete(id, { ifMatch: parseEtags(c.req.header('if-match')) })
      if (!isDeleted) throw notFound()
      return c.body(null, 204)
    })
}

const idRule = `1 to ${maxIdLength} characters of A-Z a-z 0-9 . _ ~ -, or a whole number from 0`

const notFound = () => new ProblemError({ code: 'not-found', detail: 'There is no document with this id.' })

const idMismatch = () =>
  new ProblemError({
    code: 'invalid-input',
    detail: '/id differs from the id in the path',
    errors: [{ pointer: '/id', detail: 'differs from the id in the path', code: 'mismatch' }],
  })

/** Under an id that no document can have there is nothing to write. */
const documentId = zValidator(
  'param',
  z.lazy(() => z.object({ id: z.string().refine(isDocumentId) })),
  ({ success }) => {
    if (!success) throw new ProblemError({ code: 'not-found', detail: `A document id has ${idRule}.` })
  },
)

/** The schema of a document; `documentSchema` reports its own issues as JSON pointers. */
function bodySchema(documentSchema: DocumentSchema | undefined) {
  return z.lazy(() =>
    z.custom<JsonDocument>().superRefine((value, context) => {
      for (const { pointer, detail, code } of documentIssues(value, documentSchema))
        context.addIssue({ code: 'custom', message: detail, params: { code }, path: parsePointer(pointer) })
    }),
  )
}

function documentIssues(
  value: unknown,
  documentSchema: DocumentSchema | undefined,
): readonly ValidationIssue[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ pointer: '', detail: 'must be an object', code: 'type' }]
  if (exceedsDepth(value, maxDepth))
    return [{ pointer: '', detail: `must not nest deeper than ${maxDepth} levels`, code: 'too-deep' }]
  const { id } = value as { id?: unknown }
  if (id !== undefined && !isDocumentId(normalizeId(id) ?? ''))
    return [{ pointer: '/id', detail: `must be ${idRule}`, code: 'invalid-value' }]
  return documentSchema?.(value) ?? []
}

/** The path of a JSON pointer (RFC 6901). */
function parsePointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}
