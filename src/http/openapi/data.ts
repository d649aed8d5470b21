import { z } from 'zod'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
import { idempotencyKeyDoc } from '../headers/idempotency-key.ts'
import { problemResponses } from './problem.ts'

/** What `isDocumentId` accepts; `.` and `../..` would be other paths. */
const idPattern = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/

const documentSchema = z
  .looseObject({
    id: z
      .union([z.string().regex(idPattern), z.int().min(0).max(Number.MAX_SAFE_INTEGER)])
      .optional()
      .describe('The key; made (UUID v7) when none is given. `7` and `"7"` are one document'),
  })
  .meta({
    id: 'Document',
    description: 'Any JSON object. It is answered as it was sent, numbers included.',
    example: { id: 7, name: 'seven', value: 7.7 },
  })

const createdSchema = z
  .strictObject({ message: z.literal('created'), item: documentSchema })
  .meta({ id: 'Created', example: { message: 'created', item: { id: 7, name: 'seven', value: 7.7 } } })

const tags = ['data']
const json = <S extends z.ZodType>(schema: S) => ({ 'application/json': { schema } })
const etag = {
  ETag: { description: 'The version of the document', schema: { type: 'string' as const } },
}
const idParam = {
  name: 'id',
  in: 'path' as const,
  required: true,
  description: 'The key of the document',
  schema: { type: 'string' as const, pattern: idPattern.source },
}
const ifMatch = {
  name: 'If-Match',
  in: 'header' as const,
  description: 'Only when the document is in this version; else 412',
  schema: { type: 'string' as const },
}

/** The entries of /data in the OpenAPI document. */
export const dataDocs = {
  create: {
    operationId: 'createDocument',
    summary: 'Store a document',
    tags,
    parameters: [idempotencyKeyDoc],
    requestBody: { required: true, content: json(documentSchema) },
    responses: {
      '201': {
        description: 'Stored: it survives whatever happens to the processes',
        headers: { ...etag, Location: { schema: { type: 'string' } } },
        content: json(createdSchema),
      },
      ...problemResponses(
        'malformed-json',
        'body-too-large',
        'not-json',
        'document-exists',
        'idempotency-key-reused',
        'store-unavailable',
      ),
    },
  },
  list: {
    operationId: 'listDocuments',
    summary: 'List documents in the order of their creation',
    tags,
    parameters: [
      {
        name: 'limit',
        in: 'query',
        description: 'Documents of a page',
        schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
      },
      {
        name: 'cursor',
        in: 'query',
        description: 'Where to continue: the one in the `Link` header of the page before',
        schema: { type: 'string', maxLength: 100 },
      },
    ],
    responses: {
      '200': {
        description: 'A page',
        headers: {
          Link: { description: '`rel="next"`, when there is more', schema: { type: 'string' } },
        },
        content: json(z.array(documentSchema)),
      },
      ...problemResponses('invalid-query', 'store-unavailable'),
    },
  },
  read: {
    operationId: 'readDocument',
    summary: 'Read a document',
    tags,
    parameters: [idParam],
    responses: {
      '200': { description: 'The document', headers: etag, content: json(documentSchema) },
      '304': { description: 'It is in the version that If-None-Match names' },
      ...problemResponses('not-found', 'store-unavailable'),
    },
  },
  replace: {
    operationId: 'replaceDocument',
    summary: 'Put a document under an id',
    tags,
    parameters: [idParam, ifMatch],
    requestBody: { required: true, content: json(documentSchema) },
    responses: {
      '200': { description: 'Replaced', headers: etag, content: json(documentSchema) },
      '201': { description: 'There was none: created', headers: etag, content: json(documentSchema) },
      ...problemResponses(
        'malformed-json',
        'body-too-large',
        'not-json',
        'not-found',
        'precondition-failed',
        'store-unavailable',
      ),
    },
  },
  remove: {
    operationId: 'deleteDocument',
    summary: 'Delete a document',
    tags,
    parameters: [idParam, ifMatch],
    responses: {
      '204': { description: 'Deleted' },
      ...problemResponses('not-found', 'precondition-failed', 'store-unavailable'),
    },
  },
} satisfies Record<string, ZodOpenApiOperationObject>
