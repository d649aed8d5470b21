import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Route } from '../route.ts'
import type { Build } from '../routes/health.ts'
import { problemResponses } from './problem.ts'

/** By what the routes are open, and how often; all false: to everybody, always. */
export interface Security {
  readonly keys: boolean
  readonly tokens: boolean
  readonly metricsToken: boolean
  readonly adminToken: boolean
  readonly rateLimit: boolean
}

const open: Security = {
  keys: false,
  tokens: false,
  metricsToken: false,
  adminToken: false,
  rateLimit: false,
}

export interface DocumentOptions {
  /** What a body that is not what it should be is answered with. Default 400. */
  readonly validationStatus?: 400 | 422
  /** Default: everything is open to everybody. */
  readonly security?: Security | undefined
  /** Before every path. Default: nothing. */
  readonly basePath?: string | undefined
}

/**
 * The OpenAPI 3.1 document of a table of routes, from the same schemas that validate: what is in the
 * table is in the document.
 */
export async function openApiDocument(
  routes: readonly Route[],
  build: Build,
  { validationStatus = 400, security = open, basePath = '' }: DocumentOptions = {},
) {
  const paths: ZodOpenApiPathsObject = {}
  // Only those that something here is opened by: a page should not ask for what is of no use.
  const schemes = (['application', 'admin', 'metrics'] as const).flatMap((kind) => schemesOf(kind, security))
  for (const { method, path, kind, doc: docOf } of routes) {
    const doc = await docOf?.()
    if (doc === undefined) continue
    const documented = path.replaceAll(/:(\w+)/g, '{$1}')
    paths[documented] = {
      ...(kind === 'application' && { servers: [{ url: basePath || '/' }, { url: `${basePath}/v1` }] }),
      ...paths[documented],
      [method.toLowerCase()]: limited(
        secured(validationStatus === 422 ? withUnprocessable(doc) : doc, schemesOf(kind, security)),
        kind === 'application' && security.rateLimit,
      ),
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
    servers: [{ url: basePath || '/', description: 'This instance' }],
    security: [],
    tags: [
      { name: 'payload', description: 'Analysis' },
      { name: 'data', description: 'Documents that stay' },
      { name: 'tasks', description: 'The same work, later' },
      { name: 'operations', description: 'What a platform asks' },
      ...(routes.some(({ kind }) => kind === 'admin')
        ? [{ name: 'admin', description: 'What an operator changes' }]
        : []),
    ],
    paths,
    ...(schemes.length > 0 && {
      components: { securitySchemes: Object.fromEntries(schemes.map((one) => [one, securitySchemes[one]])) },
    }),
  })
}

const securitySchemes = {
  key: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'A key that the service knows' },
  keyAsBearer: { type: 'http', scheme: 'bearer', description: 'The same key' },
  token: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A token of the service's issuer",
  },
  operator: { type: 'http', scheme: 'bearer', description: "The operator's token" },
  scraper: { type: 'http', scheme: 'bearer', description: "The scraper's token" },
} as const

/** What opens a route of a kind; any of them will do. */
function schemesOf(kind: Route['kind'], { keys, tokens, metricsToken, adminToken }: Security) {
  if (kind === 'metrics') return metricsToken ? (['scraper'] as const) : []
  if (kind === 'admin') return adminToken ? (['operator'] as const) : []
  if (kind !== 'application') return []
  return [...(keys ? (['key', 'keyAsBearer'] as const) : []), ...(tokens ? (['token'] as const) : [])]
}

/** An operation that needs credentials, and what it answers without. */
function secured(
  doc: ZodOpenApiOperationObject,
  schemes: readonly (keyof typeof securitySchemes)[],
): ZodOpenApiOperationObject {
  if (schemes.length === 0) return doc
  const codes = schemes.includes('token') ? (['forbidden', 'identity-unavailable'] as const) : []
  return {
    ...doc,
    security: schemes.map((scheme) => ({ [scheme]: [] })),
    responses: { ...problemResponses('unauthorized', ...codes), ...doc.responses },
  }
}

/** An operation that has a rate, and what it answers above it. */
function limited(doc: ZodOpenApiOperationObject, hasRate: boolean): ZodOpenApiOperationObject {
  if (!hasRate) return doc
  return { ...doc, responses: { ...problemResponses('rate-limited'), ...doc.responses } }
}

/** With `VALIDATION_STATUS=422` what takes a body may answer 422 besides 400 (for its Host, its query). */
function withUnprocessable(doc: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  const badInput = doc.responses['400']
  if (doc.requestBody === undefined || badInput === undefined) return doc
  return { ...doc, responses: { '422': badInput, ...doc.responses } }
}
