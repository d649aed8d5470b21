import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Build } from './operations.ts'
import type { Route } from './route.ts'

/**
 * The OpenAPI 3.1 document of a table of routes, from the same schemas that validate: what is in the
 * table is in the document.
 */
export function openApiDocument(routes: readonly Route[], build: Build) {
  const paths: ZodOpenApiPathsObject = {}
  for (const { method, path, kind, doc } of routes) {
    if (doc === undefined) continue
    const documented = path.replaceAll(/:(\w+)/g, '{$1}')
    paths[documented] = {
      ...(kind === 'application' && { servers: [{ url: '/' }, { url: '/v1' }] }),
      ...paths[documented],
      [method.toLowerCase()]: doc,
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
