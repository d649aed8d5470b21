import type { Context } from 'hono'
import { z } from 'zod'
import { fingerprint } from '../../analysis/parse/fingerprint.ts'
import { summarizeIssues } from '../../analysis/parse/validation-issues.ts'
import { deeperThan, keyOf, withId } from '../../documents/document-json.ts'
import {
  type Document,
  type DocumentStore,
  ID_LENGTH_MAX,
  isDocumentId,
  PAGE_DOCUMENTS_MAX,
} from '../../documents/document-store.ts'
import type { DocumentSchema } from '../../documents/json-schema.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import { readJson } from '../body/json-body.ts'
import { etagOf, versionsIn } from '../headers/etag.ts'
import { idempotencyOf } from '../headers/idempotency-key.ts'
import { linkTo, pointIn } from '../headers/link.ts'
import type { dataDocs } from '../openapi/data.ts'
import type { FieldError, Problems, Refusal } from '../problem.ts'
import { pageLimit, withQuery } from '../query.ts'
import { type Exchange, jsonText } from '../request-context.ts'
import type { Env, Route } from '../route.ts'

export interface DataOptions {
  readonly store: DocumentStore
  /** What every document must satisfy, beside being an object. */
  readonly schema?: DocumentSchema | undefined
  readonly documentBytesMax: number
  readonly problems: Problems
  readonly metrics: Pick<Metrics, 'countDocument'>
}

/** Levels of nesting in a document. */
const depthMax = 100

/** A document as it came, checked: its text is what is kept. */
interface Incoming {
  readonly text: string
  readonly id: unknown
}

const listQuery = () =>
  z.strictObject({
    limit: pageLimit(PAGE_DOCUMENTS_MAX),
    cursor: z.string().max(100, 'is not one that a page has given').optional(),
  })

/**
 * /data: JSON documents that stay. A document is kept and answered as the text that was sent, so its
 * numbers survive, whatever their size or precision.
 */
export function dataRoutes({ store, schema, documentBytesMax, problems, metrics }: DataOptions): Route[] {
  const refuse = (c: Context<Env>, refusal: Refusal): Response => problems.answer(c.env, refusal)

  const receive = async (c: Context<Env>): Promise<Incoming | Response> => {
    const body = await readJson(c.req.raw, documentBytesMax)
    if (!body.ok) return refuse(c, body.refusal)
    const errors = faultsOf(body.value, schema)
    if (errors.length > 0)
      return refuse(c, { code: 'invalid-input', detail: summarizeIssues(errors), errors })
    return { text: body.text, id: (body.value as { id?: unknown }).id }
  }

  const create = async (c: Context<Env>): Promise<Response> => {
    const incoming = await receive(c)
    if (incoming instanceof Response) return incoming
    const idempotency = idempotencyOf(c.req.raw.headers, 'POST /data', () => fingerprint(incoming.text))
    if (idempotency !== undefined && 'refusal' in idempotency) return refuse(c, idempotency.refusal)
    const given = keyOf(incoming.id)
    const id = given ?? Bun.randomUUIDv7()
    const body = given === undefined ? withId(incoming.text, id) : incoming.text
    const { document, replayed } = await store.create({ id, body }, idempotency)
    if (!replayed) metrics.countDocument()
    return jsonText(c.env, [`{"message":"created","item":`, document.body, '}'], 201, {
      location: `${c.req.path}/${document.id}`,
      etag: etagOf(document.version),
    })
  }

  const read = async (c: Context<Env>): Promise<Response> => {
    const document = await store.get(idIn(c))
    if (document === undefined) return refuse(c, noSuch)
    const known = versionsIn(c.req.raw.headers.get('if-none-match'))
    if (known === '*' || known?.includes(document.version))
      return new Response(null, { status: 304, headers: { etag: etagOf(document.version) } })
    return answer(c.env, document, 200)
  }

  const replace = async (c: Context<Env>): Promise<Response> => {
    const id = idIn(c)
    if (!isDocumentId(id)) return refuse(c, badId)
    const incoming = await receive(c)
    if (incoming instanceof Response) return incoming
    if (incoming.id !== undefined && keyOf(incoming.id) !== id) return refuse(c, otherId)
    const body = incoming.id === undefined ? withId(incoming.text, id) : incoming.text
    const ifMatch = versionsIn(c.req.raw.headers.get('if-match'))
    const { document, created } = await store.replace(id, body, { ifMatch })
    if (created) metrics.countDocument()
    return answer(c.env, document, created ? 201 : 200)
  }

  const remove = async (c: Context<Env>): Promise<Response> => {
    const id = idIn(c)
    if (!isDocumentId(id)) return refuse(c, badId)
    const ifMatch = versionsIn(c.req.raw.headers.get('if-match'))
    return (await store.delete(id, { ifMatch })) ? new Response(null, { status: 204 }) : refuse(c, noSuch)
  }

  const list = withQuery(listQuery, problems, async (c, { limit, cursor }) => {
    const { documents, next } = await store.list({
      limit,
      after: cursor === undefined ? undefined : pointIn(cursor),
    })
    const parts = documents.flatMap(({ body }, i) => (i === 0 ? [body] : [',', body]))
    return jsonText(c.env, ['[', ...parts, ']'], 200, linkTo(c.req.path, { limit }, next))
  })

  return [
    { method: 'POST', path: '/data', kind: 'application', handler: create, doc: () => docOf('create') },
    { method: 'GET', path: '/data', kind: 'application', handler: list, doc: () => docOf('list') },
    { method: 'GET', path: '/data/:id', kind: 'application', handler: read, doc: () => docOf('read') },
    { method: 'PUT', path: '/data/:id', kind: 'application', handler: replace, doc: () => docOf('replace') },
    { method: 'DELETE', path: '/data/:id', kind: 'application', handler: remove, doc: () => docOf('remove') },
  ]
}

async function docOf(name: keyof typeof dataDocs) {
  const docs = await import('../openapi/data.ts')
  return docs.dataDocs[name]
}

const noSuch: Refusal = { code: 'not-found', detail: 'There is no document with this id.' }
const idRule = `1 to ${ID_LENGTH_MAX} characters of A-Z a-z 0-9 . _ ~ -, or a whole number from 0`
const badId: Refusal = { code: 'not-found', detail: `An id has ${idRule}.` }
const otherId: Refusal = {
  code: 'invalid-input',
  detail: '/id is not the id of the path',
  errors: [{ pointer: '/id', detail: 'is not the id of the path', code: 'mismatch' }],
}

/** What keeps a parsed body from being a document. */
function faultsOf(value: unknown, schema: DocumentSchema | undefined): readonly FieldError[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ pointer: '', detail: 'must be an object', code: 'type' }]
  if (deeperThan(value, depthMax))
    return [{ pointer: '', detail: `must not nest deeper than ${depthMax} levels`, code: 'too-deep' }]
  const { id } = value as { id?: unknown }
  if (id !== undefined && !isDocumentId(keyOf(id) ?? ''))
    return [{ pointer: '/id', detail: `must be ${idRule}`, code: 'invalid-value' }]
  return schema?.(value) ?? []
}

function answer(exchange: Exchange, { body, version }: Document, status: number): Response {
  return jsonText(exchange, [body], status, { etag: etagOf(version) })
}

function idIn(c: Context<Env>): string {
  return c.req.param('id') ?? ''
}
