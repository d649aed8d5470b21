import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathItemObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi'
import type { PayloadLimits } from '../../analysis/payload.ts'
import type { Build } from '../routes/health.ts'
import { adminPaths, faultPaths } from './admin.ts'
import { dataPaths } from './data.ts'
import { healthPaths, metricsPaths } from './health.ts'
import { payloadPaths } from './payload.ts'
import { problemResponses } from './problem.ts'
import { taskPaths } from './tasks.ts'

/** Authentication and limits of the routes; all false: the routes are public and have no limit. */
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
  readonly build: Build
  readonly limits: PayloadLimits
  /** Whether `/metrics` is served on this port. */
  readonly hasMetrics: boolean
  /** Whether the admin routes are served on this port. */
  readonly hasAdmin: boolean
  /** Whether kinds of work for debugging are accepted. */
  readonly debugRoutes: boolean
  /** The status for bodies whose content is invalid. */
  readonly validationStatus: 400 | 422
  /** Default: everything is open. */
  readonly security?: Security | undefined
  /** Prefix of every path. */
  readonly basePath: string
}

type SchemeName = keyof typeof securitySchemes

/** The OpenAPI 3.1 document of the service, from the same schemas that validate its requests. */
export function createOpenApiDocument(options: DocumentOptions) {
  const {
    build,
    limits,
    hasMetrics,
    hasAdmin,
    debugRoutes,
    security = open,
    validationStatus,
    basePath,
  } = options
  const clientSchemes: SchemeName[] = [
    ...(security.keys ? (['key', 'keyAsBearer'] as const) : []),
    ...(security.tokens ? (['token'] as const) : []),
  ]
  const operatorSchemes: SchemeName[] = hasAdmin && security.adminToken ? ['operator'] : []
  const scraperSchemes: SchemeName[] = hasMetrics && security.metricsToken ? ['scraper'] : []
  const application = {
    ...payloadPaths(limits),
    ...dataPaths,
    ...taskPaths({ limits, debug: debugRoutes }),
  }
  const admin = hasAdmin ? { ...adminPaths, ...faultPaths } : {}
  const describe = (operation: ZodOpenApiOperationObject, schemes: readonly SchemeName[]) =>
    requireSchemes(validationStatus === 422 ? withUnprocessable(operation) : operation, schemes)
  const schemes = [...clientSchemes, ...operatorSchemes, ...scraperSchemes]
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tally',
      version: build.version,
      description:
        'Statistics of numbers and text. Every response carries `X-Request-ID` (yours, if it is 1 to 128 of ' +
        '`[A-Za-z0-9._-]`) and `X-Served-By`. Every error is a problem document (RFC 9457).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: basePath || '/', description: 'This instance' }],
    security: [],
    tags: [
      { name: 'payload', description: 'Analysis' },
      { name: 'data', description: 'Documents' },
      { name: 'tasks', description: 'Queued work' },
      { name: 'operations', description: 'Probes, build and metrics' },
      ...(hasAdmin ? [{ name: 'admin', description: 'Settings of a running instance' }] : []),
    ],
    paths: {
      ...mapPaths(application, (operation) => limitRate(describe(operation, clientSchemes), security), {
        servers: [{ url: basePath || '/' }, { url: `${basePath}/v1` }],
      }),
      ...healthPaths,
      ...(hasMetrics && mapPaths(metricsPaths, (operation) => describe(operation, scraperSchemes))),
      ...mapPaths(admin, (operation) => describe(operation, operatorSchemes)),
    },
    ...(schemes.length > 0 && {
      components: {
        securitySchemes: Object.fromEntries(schemes.map((name) => [name, securitySchemes[name]])),
      },
    }),
  })
}

const securitySchemes = {
  key: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key' },
  keyAsBearer: { type: 'http', scheme: 'bearer', description: 'The same API key as a bearer token' },
  token: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A token from the service's issuer",
  },
  operator: { type: 'http', scheme: 'bearer', description: "The operator's token" },
  scraper: { type: 'http', scheme: 'bearer', description: "The scraper's token" },
} as const

const methods = ['get', 'post', 'put', 'delete'] as const

/** Changes every operation of some paths. */
function mapPaths(
  paths: ZodOpenApiPathsObject,
  change: (operation: ZodOpenApiOperationObject) => ZodOpenApiOperationObject,
  extra: ZodOpenApiPathItemObject = {},
): ZodOpenApiPathsObject {
  return Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [
      path,
      {
        ...extra,
        ...Object.fromEntries(
          methods.flatMap((method) => {
            const operation = item[method]
            return operation === undefined ? [] : [[method, change(operation)]]
          }),
        ),
      },
    ]),
  )
}

/** An operation of the application, whose clients may have a rate limit. */
function limitRate(operation: ZodOpenApiOperationObject, { rateLimit }: Security): ZodOpenApiOperationObject {
  if (!rateLimit) return operation
  return { ...operation, responses: { ...problemResponses('rate-limited'), ...operation.responses } }
}

/** An operation that needs credentials, any of those named, and its responses without. */
function requireSchemes(
  operation: ZodOpenApiOperationObject,
  schemes: readonly SchemeName[],
): ZodOpenApiOperationObject {
  if (schemes.length === 0) return operation
  const codes = schemes.includes('token') ? (['forbidden', 'auth-unavailable'] as const) : []
  return {
    ...operation,
    security: schemes.map((name) => ({ [name]: [] })),
    responses: { ...problemResponses('unauthorized', ...codes), ...operation.responses },
  }
}

/** With `VALIDATION_STATUS=422` an operation with a body may answer 422 besides 400 (for its Host or query). */
function withUnprocessable(operation: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  const badInput = operation.responses['400']
  if (operation.requestBody === undefined || badInput === undefined) return operation
  return { ...operation, responses: { '422': badInput, ...operation.responses } }
}
