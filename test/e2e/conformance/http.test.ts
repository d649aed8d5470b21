import { describe, expect, test } from 'bun:test'
import { expectProblem } from './problems.ts'
import {
  type Answer,
  type Ask,
  ask,
  noCredentialsNeeded,
  resolve,
  send,
  uniqueName,
  urlOf,
} from './service.ts'
import { testUnless } from './test-unless.ts'

const payload = { numbers: [1, 2, 3], text: 'one two' }

/** A response of each kind, by its description. */
const kinds: readonly (readonly [name: string, method: string, path: string, request?: Ask])[] = [
  ['a probe', 'GET', '/health'],
  ['an analysis', 'POST', '/payload', { json: payload }],
  ['an analysis in the short form', 'POST', '/payload?format=compact', { json: payload }],
  ['a list', 'GET', '/data?limit=1'],
  ['a refused body', 'POST', '/payload', { body: '{' }],
  ['an unknown document', 'GET', `/data/${uniqueName()}`],
  ['an unknown route', 'GET', `/${uniqueName()}`],
  ['a wrong method', 'DELETE', '/payload'],
  ['the OpenAPI document', 'GET', '/openapi.json'],
  ['the page of the API', 'GET', '/docs'],
]

describe('every answer', () => {
  for (const [kind, method, path, request] of kinds) {
    test(`carries X-Request-ID and X-Served-By: ${kind}`, async () => {
      const { headers } = await ask(method, path, request)
      expect(headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,128}$/)
      expect(headers.get('x-served-by')).toMatch(/./)
    })

    test(`forbids browsers to guess its type (nosniff): ${kind}`, async () => {
      const { headers } = await ask(method, path, request)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
    })
  }
})

describe('X-Request-ID', () => {
  test('is kept if it consists of 1 to 128 characters of A-Z a-z 0-9 . _ -', async () => {
    for (const id of [uniqueName(), 'a', 'A.b_c-9', 'x'.repeat(128)]) {
      const answer = await ask('POST', '/payload', { json: payload, headers: { 'x-request-id': id } })
      expect(answer.headers.get('x-request-id')).toBe(id)
    }
  })

  test('appears in the problem of a rejected request', async () => {
    const id = uniqueName()
    const answer = await ask('POST', '/payload', { body: '{', headers: { 'x-request-id': id } })
    expect(answer.json()).toMatchObject({ request_id: id })
  })

  test('is replaced if it contains other characters or is too long', async () => {
    for (const id of ['a b', 'x'.repeat(129), 'a"b', '<script>', '{}']) {
      const { headers } = await ask('GET', '/health', { headers: { 'x-request-id': id } })
      expect(headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,128}$/)
      expect(headers.get('x-request-id')).not.toBe(id)
    }
  })

  test('differs for each request', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('GET', '/health')))
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(20)
  })
})

describe('an unknown route', () => {
  for (const [method, path] of [
    ['GET', `/${uniqueName()}`],
    ['POST', `/${uniqueName()}`],
    ['GET', `/payload/${uniqueName()}`],
    ['GET', `/v1/${uniqueName()}`],
    ['GET', '/v2/payload'],
  ] as const)
    test(`gets 404 with a problem: ${method} ${path.replace(/conformance-.*/, '…')}`, async () => {
      expectProblem(await ask(method, path, method === 'POST' ? { json: payload } : {}), 404, 'not-found')
    })
})

describe('a wrong method', () => {
  for (const [method, path, allowed] of [
    ['GET', '/payload', ['POST']],
    ['PUT', '/payload', ['POST']],
    ['DELETE', '/data', ['GET', 'HEAD', 'POST']],
    ['POST', '/data/1', ['GET', 'HEAD', 'PUT', 'DELETE']],
    ['DELETE', '/tasks', ['GET', 'HEAD', 'POST']],
    ['POST', '/health', ['GET', 'HEAD']],
    ['POST', '/ready', ['GET', 'HEAD']],
    ['GET', '/v1/payload', ['POST']],
  ] as const)
    test(`gets 405 with a problem, and Allow lists the supported methods: ${method} ${path}`, async () => {
      const answer = await ask(method, path)
      expectProblem(answer, 405, 'method-not-allowed')
      const allow = (answer.headers.get('allow') ?? '').split(/, */)
      // CORS, if enabled, adds OPTIONS.
      expect(allow.filter((one) => one !== 'OPTIONS').toSorted()).toEqual([...allowed].toSorted())
    })
})

describe('HEAD', () => {
  for (const path of [
    '/health',
    '/healthz',
    '/ready',
    '/version',
    '/data?limit=1',
    '/tasks?limit=1',
    '/openapi.json',
    '/docs',
    '/',
  ])
    test(`responds like GET without the body: ${path}`, async () => {
      const get = await ask('GET', path)
      const head = await ask('HEAD', path)
      const lookOf = ({ status, headers }: Answer) => ({ status, type: headers.get('content-type') })
      expect({ path, ...lookOf(head), body: head.text }).toEqual({ path, ...lookOf(get), body: '' })
      expect(get.status).toBe(200)
      expect(head.headers.get('x-request-id')).toMatch(/./)
    })

  test('has the Content-Length of the GET', async () => {
    const length = Buffer.byteLength((await ask('GET', '/openapi.json')).text)
    const { headers } = await ask('HEAD', '/openapi.json')
    expect(headers.get('content-length')).toBe(`${length}`)
  })
})

describe('the versioned routes', () => {
  test('POST /v1/payload, GET /v1/data and GET /v1/tasks answer like those without /v1', async () => {
    expect((await ask('POST', '/v1/payload', { json: payload })).json()).toMatchObject({
      numeric_analysis: { mean: 2 },
    })
    for (const path of ['/data?limit=1', '/tasks?limit=1'])
      expect((await ask('GET', `/v1${path}`)).status).toBe(200)
  })
})

describe('GET /', () => {
  test('identifies the service in JSON, with a link to its API document', async () => {
    const { status, headers, ...answer } = await ask('GET', '/', { headers: { accept: 'application/json' } })
    expect(status).toBe(200)
    expect(headers.get('content-type')).toStartWith('application/json')
    const about = answer.json<Record<string, string>>()
    for (const member of ['name', 'version', 'runtime']) expect(about[member]).toMatch(/./)
    for (const link of ['docs', 'openapi', 'health', 'ready'])
      expect({ link, status: (await send('GET', resolve(about[link] ?? ''))).status }).toEqual({
        link,
        status: 200,
      })
  })
})

/** What a browser asks before it lets a page of another origin send a request. */
const preflight = await send('OPTIONS', urlOf('/payload'), {
  credentials: false,
  headers: {
    origin: 'https://conformance.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  },
})

describe('pages of other origins', () => {
  const mayNot = preflight.headers.has('access-control-allow-origin')
    ? undefined
    : 'CORS_ORIGIN allows no other origin'

  testUnless(mayNot, 'OPTIONS /payload answers 204 and allows POST with Content-Type', async () => {
    expect({ status: preflight.status, body: preflight.text }).toEqual({ status: 204, body: '' })
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST')
    expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('content-type')
  })

  testUnless(mayNot, 'may read responses and errors', async () => {
    const headers = { origin: 'https://conformance.example' }
    for (const body of [JSON.stringify(payload), '{']) {
      const answer = await ask('POST', '/payload', { body, headers })
      expect(answer.headers.get('access-control-allow-origin')).toMatch(
        /^(\*|https:\/\/conformance\.example)$/,
      )
    }
  })
})

describe('credentials', () => {
  const application: readonly (readonly [string, string, Ask?])[] = [
    ['POST', '/payload', { json: payload }],
    ['GET', '/data'],
    ['GET', '/tasks'],
    ['POST', '/v1/payload', { json: payload }],
  ]

  for (const [method, path, request = {}] of application) {
    testUnless(
      noCredentialsNeeded,
      `${method} ${path} without them gets 401 with WWW-Authenticate`,
      async () => {
        const answer = await ask(method, path, { ...request, credentials: false })
        expectProblem(answer, 401, 'unauthorized')
        expect(answer.headers.get('www-authenticate')).toStartWith('Bearer')
      },
    )

    testUnless(noCredentialsNeeded, `${method} ${path} with invalid ones gets 401`, async () => {
      const headers = { authorization: `Bearer ${uniqueName()}` }
      expectProblem(await ask(method, path, { ...request, credentials: false, headers }), 401, 'unauthorized')
    })
  }
})
