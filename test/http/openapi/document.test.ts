import { describe, expect, test } from 'bun:test'
import Ajv2020 from 'ajv/dist/2020.js'
import { createApp, type ServiceApp } from '../../../src/http/app.ts'
import { createOpenApiDocument } from '../../../src/http/openapi/document.ts'
import { createChecks, createLifecycle } from '../../../src/lifecycle/index.ts'
import { adminDeps } from '../../support/admin-deps.ts'
import { appDeps } from '../../support/app-deps.ts'
import { liveSettings } from '../../support/live.ts'

interface MediaType {
  readonly schema?: object
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}
interface Operation {
  readonly operationId: string
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, MediaType>> }>>
}
type PathItem = Readonly<Record<string, Operation>> & {
  readonly servers?: readonly { readonly url: string }[]
}
interface Document {
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, { examples?: unknown[]; example?: unknown }>>
  }
}

const deps = appDeps()
const app = createApp(deps)
const readDocument = async ({ request }: Pick<ServiceApp, 'request'>): Promise<Document> =>
  (await (await request('/openapi.json')).json()) as Document
const document = await readDocument(app)

const methods = ['get', 'post', 'put', 'patch', 'delete']
const listOperations = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) =>
      item[method]
        ? [{ path, method, name: `${method.toUpperCase()} ${path}`, operation: item[method] }]
        : [],
    ),
  )
const operations = listOperations(document)

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema(document, 'openapi.json')

/** Validates a value against the schema at a place in the document. */
function findErrors(place: readonly string[], value: unknown): string[] {
  const pointer = place.map(
    (part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`,
  )
  const validate = ajv.compile({ $ref: `openapi.json#${pointer.join('')}` })
  return validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

/** Expects the media type and schema that the document names for the response's status. */
async function expectDocumented(path: string, method: string, response: Response): Promise<void> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
  const { status } = response
  expect(Object.keys(document.paths[path]?.[method]?.responses[status]?.content ?? {})).toContain(type)
  const place = ['paths', path, method, 'responses', `${status}`, 'content', type, 'schema']
  expect(findErrors(place, await response.json())).toEqual([])
}

describe('the document and the routes of the app', () => {
  const admin = adminDeps()
  const aliases = ['/healthz', '/livez', '/readyz']
  const isPage = (path: string): boolean => path === '/' || path === '/openapi.json' || /^\/docs\b/.test(path)
  const isDebug = (path: string): boolean => path.startsWith('/debug/') && path !== '/debug/heap'

  /** The routes that the document must describe, as `METHOD /path/{parameter}`. */
  const listRoutes = ({ routes }: Pick<ServiceApp, 'routes'>): string[] => {
    const described = routes.filter((route) => {
      const [method, path = ''] = route.split(' ')
      // Middleware is registered for all methods. `/v1` is a server in the document.
      return (
        method !== 'ALL' &&
        !path.startsWith('/v1/') &&
        !aliases.includes(path) &&
        !isPage(path) &&
        !isDebug(path)
      )
    })
    return [...new Set(described)].map((route) => route.replaceAll(/:(\w+)/g, '{$1}')).toSorted()
  }

  test.each([
    ['only application routes and probes', { hasMetrics: false }],
    ['metrics', {}],
    ['admin routes', { hasMetrics: false, admin }],
    ['metrics, admin routes and debug routes', { admin, debugRoutes: true }],
  ] as const)('have the same operations with %s', async (_, changes) => {
    const service = createApp(appDeps(changes))
    const names = listOperations(await readDocument(service)).map(({ name }) => name)
    expect(names.toSorted()).toEqual(listRoutes(service))
  })

  test('have the same operations below a base path', async () => {
    const service = createApp(appDeps({ basePath: '/base', admin }))
    const routes = service.routes.map((route) => route.replace(/ \/base\/?/, ' /'))
    const response = await service.request('/base/openapi.json')
    const names = listOperations((await response.json()) as Document).map(({ name }) => name)
    expect(names.toSorted()).toEqual(listRoutes({ routes }))
  })

  test('the compared lists hold application, operations and admin routes', () => {
    const all = listRoutes(createApp(appDeps({ admin })))
    for (const route of [
      'POST /payload',
      'PUT /data/{id}',
      'GET /ready',
      'GET /metrics',
      'PUT /admin/faults',
    ])
      expect(all).toContain(route)
    expect(all).toContain('POST /debug/heap')
  })

  test('every application route, and no other, also has the server /v1', () => {
    const isUnderV1 = (route: string): boolean => app.routes.includes(route.replace(' ', ' /v1'))
    for (const route of app.routes) {
      const [method = '', path = ''] = route.split(' ')
      const item = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')]
      if (item?.[method.toLowerCase()] === undefined) continue
      expect({ route, servers: item.servers?.map(({ url }) => url) }).toEqual({
        route,
        servers: isUnderV1(route) ? ['/', '/v1'] : undefined,
      })
    }
    expect(isUnderV1('POST /payload')).toBe(true)
    expect(isUnderV1('GET /health')).toBe(false)
  })

  test('operations have distinct ids', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('a new task has a form for each kind that is accepted', async () => {
    const { paths, components } = (await readDocument(createApp(appDeps({ debugRoutes: true })))) as Document
    expect(paths['/tasks']?.post?.requestBody?.content['application/json']?.schema).toEqual({
      $ref: '#/components/schemas/NewTask',
    })
    expect(components.schemas.NewTask).toMatchObject({
      oneOf: expect.arrayContaining([
        { $ref: '#/components/schemas/NewAnalysisTask' },
        { $ref: '#/components/schemas/NewDemoTask' },
      ]),
    })
    expect(document.components.schemas).not.toHaveProperty('NewDemoTask')
    for (const [name, required] of [
      ['NewAnalysisTask', ['payload']],
      ['NewDemoTask', ['kind', 'payload']],
    ] as const)
      expect(components.schemas[name]).toMatchObject({ required, additionalProperties: false })
  })

  test('/openapi.json is the generated document', () => {
    const { build, limits, validationStatus } = deps
    const options = {
      build,
      limits,
      validationStatus,
      hasMetrics: true,
      hasAdmin: false,
      debugRoutes: false,
      basePath: '',
    }
    expect(document as object).toEqual(JSON.parse(JSON.stringify(createOpenApiDocument(options))))
  })

  test('it is OpenAPI 3.1 with the version of the service', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Tally', version: '0.0.0-test' } })
  })
})

describe('errors', () => {
  for (const { name, operation } of operations) {
    const { responses, requestBody } = operation
    test(`${name} documents 400 and 500${requestBody ? ', and for its body 413 and 415' : ''}, as problems`, () => {
      const expected = ['400', '500', ...(requestBody ? ['413', '415'] : [])]
      for (const status of expected) expect(Object.keys(responses)).toContain(status)
      for (const [status, response] of Object.entries(responses)) {
        const types = Object.keys(response.content ?? {})
        if (Number(status) < 400 || name === 'GET /ready') continue
        expect({ status, types }).toEqual({ status, types: ['application/problem+json'] })
      }
    })
  }

  test('operations that compute or use a store or a queue document 503', () => {
    for (const { path, operation } of operations)
      if (/^\/(payload|data|tasks|ready)/.test(path))
        expect(Object.keys(operation.responses)).toContain('503')
  })

  test('VALIDATION_STATUS=422 adds 422 to the operations with a body, and to no other', async () => {
    const settings = liveSettings()
    const admin = adminDeps({ settings })
    const strict = listOperations(await readDocument(createApp(appDeps({ validationStatus: 422, admin }))))
    expect(strict.map(({ name }) => name)).toContain('PUT /admin/faults')
    for (const { name, operation } of strict)
      expect({ name, has422: Object.keys(operation.responses).includes('422') }).toEqual({
        name,
        has422: operation.requestBody !== undefined,
      })
    expect(Object.keys(document.paths['/payload']?.post?.responses ?? {})).not.toContain('422')
  })
})

describe('credentials', () => {
  interface Secured {
    readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
    readonly responses: Readonly<Record<string, { readonly headers?: object }>>
  }
  const schemesOf = ({ security = [] }: Secured): string[] => security.flatMap((one) => Object.keys(one))

  test('are not in the document of a service that requires none', () => {
    expect(document.components).not.toHaveProperty('securitySchemes')
    for (const { operation } of operations) expect(Object.keys(operation.responses)).not.toContain('401')
  })

  test('that a service requires are in its document, for each route that requires them', async () => {
    const { components, paths } = await readDocument(
      createApp(
        appDeps({
          security: { keys: true, tokens: true, metricsToken: true, adminToken: true, rateLimit: true },
          admin: adminDeps(),
        }),
      ),
    )
    const { securitySchemes } = components as { securitySchemes?: object }
    expect(Object.keys(securitySchemes ?? {})).toEqual(['key', 'keyAsBearer', 'token', 'operator', 'scraper'])
    for (const [path, method] of [
      ...operations.map(({ path, method }) => [path, method] as const),
      ['/ready/disable', 'post'],
      ['/admin/faults', 'put'],
      ['/tasks/retry', 'post'],
    ] as const) {
      const operation = paths[path]?.[method] as Secured
      const expected =
        path === '/metrics'
          ? ['scraper']
          : paths[path]?.servers !== undefined
            ? ['key', 'keyAsBearer', 'token']
            : /^\/admin|able$|^\/tasks\/retry$/.test(path)
              ? ['operator']
              : []
      expect({ path, schemes: schemesOf(operation) }).toEqual({ path, schemes: expected })
      expect(operation.responses['401']?.headers !== undefined).toBe(expected.length > 0)
      // A token without the scope, or a page of another site.
      const mayBeForbidden = expected.includes('token') || expected.includes('operator')
      expect(operation.responses['403'] !== undefined).toBe(mayBeForbidden)
      expect(operation.responses['429'] !== undefined).toBe(expected.includes('key'))
    }
  })
})

describe('examples', () => {
  test('every example of a schema satisfies it', () => {
    const examples = Object.entries(document.components.schemas).flatMap(
      ([name, { examples = [], example }]) =>
        [...examples, ...(example === undefined ? [] : [example])].map((value) => ({ name, value })),
    )
    expect(examples.map(({ name }) => name)).toContain('Payload')
    for (const { name, value } of examples)
      expect({ name, errors: findErrors(['components', 'schemas', name], value) }).toEqual({
        name,
        errors: [],
      })
  })

  test('every example of a request or response body satisfies its schema', () => {
    let seen = 0
    for (const { path, method, name, operation } of operations) {
      const bodies: [string[], MediaType][] = [
        ...Object.entries(operation.requestBody?.content ?? {}).map(
          ([type, media]): [string[], MediaType] => [['requestBody', 'content', type, 'schema'], media],
        ),
        ...Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
          Object.entries(content).map(([type, media]): [string[], MediaType] => [
            ['responses', status, 'content', type, 'schema'],
            media,
          ]),
        ),
      ]
      for (const [place, { example, examples = {} }] of bodies)
        for (const value of [
          ...Object.values(examples).map(({ value }) => value),
          ...(example === undefined ? [] : [example]),
        ]) {
          seen++
          expect({ name, errors: findErrors(['paths', path, method, ...place], value) }).toEqual({
            name,
            errors: [],
          })
        }
    }
    expect(seen).toBeGreaterThanOrEqual(2)
  })

  const payload = document.components.schemas.Payload
  const example = payload?.examples?.[0] ?? payload?.example

  test('the example payload gets the documented response', async () => {
    const { paths } = document
    const examples = paths['/payload']?.post?.responses['200']?.content?.['application/json']?.examples
    for (const [form, path] of [
      ['full', '/payload'],
      ['compact', '/payload?format=compact'],
    ] as const) {
      const headers = { 'content-type': 'application/json' }
      const response = await app.request(path, { method: 'POST', headers, body: JSON.stringify(example) })
      expect(response.status).toBe(200)
      const body = (await response.clone().json()) as Record<string, unknown>
      const documented = { ...(examples?.[form]?.value as Record<string, unknown>) }
      if (form === 'full') documented.processing_time_ms = body.processing_time_ms
      expect(body).toEqual(documented)
      await expectDocumented('/payload', 'post', response)
    }
  })

  test('the schema of a payload refuses invalid payloads, as the service does', () => {
    const place = ['components', 'schemas', 'Payload']
    for (const wrong of [
      {},
      { numbers: [], text: 'a' },
      { numbers: ['1'], text: 'a' },
      { numbers: [1], text: '' },
      { numbers: [1], text: 'a', mode: 1 },
      [],
    ])
      expect(findErrors(place, wrong)).not.toEqual([])
  })
})

describe('responses are as documented:', () => {
  const json = { 'content-type': 'application/json' }
  const payload = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    headers: { ...json, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const broken = createApp({
    ...deps,
    metrics: {
      ...deps.metrics,
      observePayload() {
        throw new Error('broken')
      },
    },
  })
  const starting = createApp(appDeps({ lifecycle: createLifecycle() }))
  const failing = createApp(
    appDeps({
      checks: createChecks([{ name: 'store', probe: () => Promise.reject(new Error('unreachable')) }]),
    }),
  )
  test.each([
    ['/health', '/health', app, {}],
    ['/ready', '/ready', app, {}],
    ['/ready with a failing check', '/ready', failing, {}],
    ['/ready while starting', '/ready', starting, {}],
    ['/version', '/version', app, {}],
    ['invalid input', '/payload', app, payload({ numbers: [null, '1'], text: 1, more: 1 })],
    ['malformed JSON', '/payload', app, payload('{')],
    ['an invalid format', '/payload?format=xml', app, payload('{}')],
    ['an invalid Host', '/payload', app, payload('{}', { host: 'a b' })],
    ['another media type', '/payload', app, payload('{}', { 'content-type': 'text/plain' })],
    ['a body above the limit', '/payload', app, payload('{}', { 'content-length': '99999999' })],
    ['an internal error', '/payload', broken, payload({ numbers: [1], text: 'a' })],
    ['an unavailable store', '/data', app, {}],
    ['an unavailable queue', '/tasks', app, {}],
    ['an invalid query', '/data?limit=0', app, {}],
  ] as [name: string, path: string, app: Pick<ServiceApp, 'request'>, init: RequestInit][])(
    '%s',
    async (_, path, { request }, init) => {
      const [template = ''] = path.split('?')
      await expectDocumented(template, (init.method ?? 'GET').toLowerCase(), await request(path, init))
    },
  )

  test('metrics are text', async () => {
    const { headers } = await app.request('/metrics')
    expect(Object.keys(document.paths['/metrics']?.get?.responses['200']?.content ?? {})).toEqual([
      'text/plain',
    ])
    expect(headers.get('content-type')).toStartWith('text/plain')
  })
})
