import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { idempotencyKeyParameter } from '../headers/idempotency-key.ts'
import { problemResponses } from './problem.ts'

/** The ids that `isDocumentId` accepts; `.` and `..` would be other paths. */
const idPattern = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/

const documentSchema = z
  .looseObject({
    id: z
      .union([z.string().regex(idPattern), z.int().min(0).max(Number.MAX_SAFE_INTEGER)])
      .optional()
      .describe('The key. Default: a UUID v7. `7` and `"7"` are one document'),
  })
  .meta({
    id: 'Document',
    description: 'Any JSON object. It is returned exactly as it was sent, including its numbers.',
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
/** `*`, or entity tags. A list may also have empty elements and more space; the document does not mention them. */
const entityTagList = '^(\\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'
const preconditions = (unmet: string) => [
  {
    name: 'If-Match',
    in: 'header' as const,
    description:
      'Proceed only if the document has one of these entity tags, or exists at all (`*`), otherwise 412. Weak tags never match',
    schema: { type: 'string' as const, pattern: entityTagList },
  },
  {
    name: 'If-None-Match',
    in: 'header' as const,
    description: `Proceed only if the document matches no entity tag of this list, or does not exist (\`*\`), otherwise ${unmet}. Weak tags match as well`,
    schema: { type: 'string' as const, pattern: entityTagList },
  },
]

/** The paths of `routes/data.ts`. */
export const dataPaths: ZodOpenApiPathsObject = {
  '/data': {
    get: {
      operationId: 'listDocuments',
      summary: 'List documents in order of creation',
      tags,
      parameters: [
        {
          name: 'limit',
          in: 'query',
          description: 'Documents per page',
          schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
        },
        {
          name: 'cursor',
          in: 'query',
          description: 'The cursor in the `Link` header of the previous page',
          schema: { type: 'string', maxLength: 100 },
        },
      ],
      responses: {
        '200': {
          description: 'A page',
          headers: {
            Link: { description: '`rel="next"`, when there is another page', schema: { type: 'string' } },
          },
          content: json(z.array(documentSchema)),
        },
        ...problemResponses('invalid-query', 'store-unavailable'),
      },
    },
    post: {
      operationId: 'createDocument',
      summary: 'Store a document',
      tags,
      parameters: [idempotencyKeyParameter],
      requestBody: { required: true, content: json(documentSchema) },
      responses: {
        '201': {
          description: 'Stored durably: it survives crashes and restarts',
          headers: { ...etag, Location: { schema: { type: 'string' } } },
          content: json(createdSchema),
        },
        ...problemResponses(
          'malformed-json',
          'body-timeout',
          'body-too-large',
          'unsupported-media-type',
          'document-exists',
          'idempotency-key-reused',
          'store-unavailable',
          'overloaded',
          'validation-timeout',
        ),
      },
    },
  },
  '/data/{id}': {
    get: {
      operationId: 'readDocument',
      summary: 'Read a document',
      tags,
      parameters: [idParam, ...preconditions('304')],
      responses: {
        '200': { description: 'The document', headers: etag, content: json(documentSchema) },
        '304': { description: 'The document has a version named in If-None-Match', headers: etag },
        ...problemResponses('not-found', 'invalid-header', 'precondition-failed', 'store-unavailable'),
      },
    },
    put: {
      operationId: 'replaceDocument',
      summary: 'Create or replace a document',
      tags,
      parameters: [idParam, ...preconditions('412')],
      requestBody: { required: true, content: json(documentSchema) },
      responses: {
        '200': { description: 'Replaced', headers: etag, content: json(documentSchema) },
        '201': { description: 'Created', headers: etag, content: json(documentSchema) },
        ...problemResponses(
          'malformed-json',
          'body-timeout',
          'body-too-large',
          'unsupported-media-type',
          'not-found',
          'invalid-header',
          'precondition-failed',
          'store-unavailable',
          'overloaded',
          'validation-timeout',
        ),
      },
    },
    delete: {
      operationId: 'deleteDocument',
      summary: 'Delete a document',
      tags,
      parameters: [idParam, ...preconditions('412')],
      responses: {
        '204': { description: 'Deleted' },
        ...problemResponses('not-found', 'invalid-header', 'precondition-failed', 'store-unavailable'),
      },
    },
  },
}
