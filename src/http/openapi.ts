import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Build } from './operations.ts'
import type { Route } from './route.ts'

/**
 * The OpenAPI 3.1 document of a table of routes, from the same schemas that validate: what is in the
 * table is in the document.
 *
 * @param validationStatus what a body that is not what it should be is answered with.
 */
export function openApiDocument(routes: readonly Route[], build: Build, validationStatus: 400 | 422 = 400) {
  const paths: ZodOpenApiPathsObject = {}
  for (const { method, path, kind, doc } of routes) {
    if (doc === undefined) continue
    const documented = path.replaceAll(/:(\w+)/g, '{$1}')
    paths[documented] = {
      ...(kind === 'application' && { servers: [{ url: '/' }, { url: '/v1' }] }),
      ...paths[documented],
      [method.toLowerCase()]: validationStatus === 422 ? withUnprocessable(doc) : doc,
    }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tally',
      version: build.version,
      description:
        'Statistics of numbers and text. Every answer carries `X-Request-ID` (yours, when it is 1 to 128 of ' +
        '`[A-Za-z0-9._-]`) and `X-Served-By`. Every error is a problem (RFC 9457).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This instance' }],
    security: [],
    tags: [
      { name: 'payload', description: 'Analysis' },
      { name: 'data', description: 'Documents that stay' },
      { name: 'tasks', description: 'The same work, later' },
      { name: 'operations', description: 'What a platform asks' },
    ],
    paths,
  })
}

/** With `VALIDATION_STATUS=422` what takes a body may answer 422 besides 400 (for its Host, its query). */
function withUnprocessable(doc: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  const badInput = doc.responses['400']
  if (doc.requestBody === undefined || badInput === undefined) return doc
  return { ...doc, responses: { '422': badInput, ...doc.responses } }
}
