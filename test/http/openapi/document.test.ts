import { describe, expect, test } from 'bun:test'
import Ajv2020 from 'ajv/dist/2020.js'
import { type AppOptions, createApp } from '../../../src/http/app.ts'
import { openApiDocument } from '../../../src/http/openapi/document.ts'
import { createChecks, createLifecycle } from '../../../src/lifecycle/index.ts'
import { appOptions } from '../../support/app-options.ts'
import { liveSettings } from '../../support/live.ts'
import { post, request } from '../../support/requests.ts'

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
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, { examples?: unknown[]; example?: unknown }>>
  }
}

const options = appOptions()
const app = createApp(options)
const documentOf = async (changes: Partial<AppOptions> = {}): Promise<Document> =>
  (await (await createApp(appOptions(changes)).fetch(request('/openapi.json'))).json()) as Document
const document = await documentOf()

const methods = ['get', 'post', 'put', 'patch', 'delete']
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  methods.flatMap((method) =>
    item[method] ? [{ path, method, name: `${method.toUpperCase()} ${path}`, operation: item[method] }] : [],
  ),
)

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema(document, 'openapi.json')

/** What is wrong with a value, by the schema at a place in the document. */
function faultsAt(place: readonly string[], value: unknown): string[] {
  const pointer = place.map(
    (part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`,
  )
  const validate = ajv.compile({ $ref: `openapi.json#${pointer.join('')}` })
  return validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

/** Expects an answer to be what the document says of its status. */
async function expectDocumented(path: string, method: string, response: Response): Promise<void> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
  const { status } = response
  expect(Object.keys(document.paths[path]?.[method]?.responses[status]?.content ?? {})).toContain(type)
  const place = ['paths', path, method, 'responses', `${status}`, 'content', type, 'schema']
  expect(faultsAt(place, await response.json())).toEqual([])
}

describe('the document and the table of routes', () => {
  const routes = app.routes.filter(({ kind }) => kind !== 'page')

  test('every route but the pages is in the document, and nothing else is', () => {
    const served = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(operations.map(({ name }) => name).toSorted()).toEqual(served.toSorted())
  })

  test('there are routes to compare', () => {
    expect(operations.map(({ name }) => name)).toContain('POST /payload')
    expect(operations.length).toBeGreaterThan(4)
  })

  test('operations have names of their own', () => {
    const names = operations.map(({ operation }) => operation.operationId)
    expect(new Set(names).size).toBe(names.length)
  })

  test('an application route says that it is also under /v1, the others do not', () => {
    for (const { path, kind } of routes) {
      const item = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')] as
        | { servers?: { url: string }[] }
        | undefined
      expect({ path, servers: item?.servers?.map(({ url }) => url) }).toEqual({
        path,
        servers: kind === 'application' ? ['/', '/v1'] : undefined,
      })
    }
  })

  test('/openapi.json is what the generator makes', async () => {
    const made = await openApiDocument(app.routes, options.build)
    expect(document as object).toEqual(JSON.parse(JSON.stringify(made)))
  })

  test('it is OpenAPI 3.1 in the version of the service', () => {
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

  test('whatever asks a store or a queue, or computes, documents 503', () => {
    for (const { path, operation } of operations)
      if (/^\/(payload|data|tasks|ready)/.test(path))
        expect(Object.keys(operation.responses)).toContain('503')
  })

  test('VALIDATION_STATUS=422 is in the document of a service that has it', async () => {
    const { paths } = await documentOf({ validationStatus: 422 })
    expect(Object.keys(paths['/payload']?.post?.responses ?? {})).toContain('422')
    expect(Object.keys(paths['/health']?.get?.responses ?? {})).not.toContain('422')
    expect(Object.keys(document.paths['/payload']?.post?.responses ?? {})).not.toContain('422')
  })
})

describe('credentials', () => {
  interface Secured {
    readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
    readonly responses: Readonly<Record<string, { readonly headers?: object }>>
  }
  const securedBy = ({ security = [] }: Secured): string[] => security.flatMap((one) => Object.keys(one))

  test('are not in the document of a service that wants none', () => {
    expect(document.components).not.toHaveProperty('securitySchemes')
    for (const { operation } of operations) expect(Object.keys(operation.responses)).not.toContain('401')
  })

  test('that a service wants are in its document, for the application routes and for /metrics', async () => {
    const { components, paths } = await documentOf({
      security: { keys: true, tokens: true, metricsToken: true, adminToken: true, rateLimit: true },
      admin: { live: liveSettings(), injectsFaults: true, takeHeapSnapshot: async () => undefined },
    })
    const { securitySchemes } = components as { securitySchemes?: object }
    expect(Object.keys(securitySchemes ?? {})).toEqual(['key', 'keyAsBearer', 'token', 'operator', 'scraper'])
    for (const [path, method] of [
      ...operations.map(({ path, method }) => [path, method] as const),
      ['/ready/disable', 'post'],
      ['/admin/faults', 'put'],
    ] as const) {
      const operation = paths[path]?.[method] as Secured
      const expected =
        path === '/metrics'
          ? ['scraper']
          : /^\/(payload|data|tasks)/.test(path)
            ? ['key', 'keyAsBearer', 'token']
            : /^\/admin|able$/.test(path)
              ? ['operator']
              : []
      expect({ path, schemes: securedBy(operation) }).toEqual({ path, schemes: expected })
      expect(operation.responses['401']?.headers !== undefined).toBe(expected.length > 0)
      expect(operation.responses['403'] !== undefined).toBe(expected.includes('token'))
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
      expect({ name, faults: faultsAt(['components', 'schemas', name], value) }).toEqual({ name, faults: [] })
  })

  test('every example of a body or an answer satisfies its schema', () => {
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
          expect({ name, faults: faultsAt(['paths', path, method, ...place], value) }).toEqual({
            name,
            faults: [],
          })
        }
    }
    expect(seen).toBeGreaterThanOrEqual(2)
  })

  const payload = document.components.schemas.Payload
  const example = payload?.examples?.[0] ?? payload?.example

  test('the payload of the document is answered 200, as documented', async () => {
    const { paths } = document
    const examples = paths['/payload']?.post?.responses['200']?.content?.['application/json']?.examples
    for (const [form, path] of [
      ['full', '/payload'],
      ['compact', '/payload?format=compact'],
    ] as const) {
      const response = await app.fetch(post(path, example))
      expect(response.status).toBe(200)
      const answer = (await response.clone().json()) as Record<string, unknown>
      const documented = { ...(examples?.[form]?.value as Record<string, unknown>) }
      if (form === 'full') documented.processing_time_ms = answer.processing_time_ms
      expect(answer).toEqual(documented)
      await expectDocumented('/payload', 'post', response)
    }
  })

  test('a schema refuses what the service refuses', () => {
    const place = ['components', 'schemas', 'Payload']
    for (const wrong of [
      {},
      { numbers: [], text: 'a' },
      { numbers: ['1'], text: 'a' },
      { numbers: [1], text: '' },
      { numbers: [1], text: 'a', mode: 1 },
      [],
    ])
      expect(faultsAt(place, wrong)).not.toEqual([])
  })
})

describe('answers are what the document says', () => {
  const broken = createApp({
    ...options,
    metrics: {
      ...options.metrics,
      observePayload() {
        throw new Error('broken')
      },
    },
  })
  const starting = createApp(appOptions({ lifecycle: createLifecycle() }))
  const checked = createApp(
    appOptions({ checks: createChecks([{ name: 'store', probe: () => Promise.reject(new Error('away')) }]) }),
  )
  for (const [name, path, method, service, asked] of [
    ['/health', '/health', 'get', app, () => request('/health')],
    ['/ready', '/ready', 'get', app, () => request('/ready')],
    ['/ready with a failing check', '/ready', 'get', checked, () => request('/ready')],
    ['/ready while starting', '/ready', 'get', starting, () => request('/ready')],
    ['/version', '/version', 'get', app, () => request('/version')],
    [
      'refused input',
      '/payload',
      'post',
      app,
      () => post('/payload', { numbers: [null, '1'], text: 1, more: 1 }),
    ],
    ['broken JSON', '/payload', 'post', app, () => post('/payload', '{')],
    ['a wrong format', '/payload', 'post', app, () => post('/payload?format=xml', '{}')],
    ['a bad Host', '/payload', 'post', app, () => post('/payload', '{}', { host: 'a b' })],
    ['not JSON', '/payload', 'post', app, () => post('/payload', '{}', { 'content-type': 'text/plain' })],
    ['too large', '/payload', 'post', app, () => post('/payload', '{}', { 'content-length': '99999999' })],
    ['a fault', '/payload', 'post', broken, () => post('/payload', { numbers: [1], text: 'a' })],
    ['a store that is away', '/data', 'get', app, () => request('/data')],
    ['a queue that is away', '/tasks', 'get', app, () => request('/tasks')],
    ['a query that is wrong', '/data', 'get', app, () => request('/data?limit=0')],
  ] as const) {
    test(name, async () => {
      await expectDocumented(path, method, await service.fetch(asked()))
    })
  }

  test('metrics are text', async () => {
    const response = await app.fetch(request('/metrics'))
    expect(Object.keys(document.paths['/metrics']?.get?.responses['200']?.content ?? {})).toEqual([
      'text/plain',
    ])
    expect(response.headers.get('content-type')).toStartWith('text/plain')
  })
})
