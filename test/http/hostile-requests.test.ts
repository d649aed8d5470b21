import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { adminDeps } from '../support/admin-deps.ts'
import { absentQueue } from '../support/app-deps.ts'
import { type Listening, listen } from '../support/listening.ts'
import { connectRaw, type RawResponse } from '../support/raw-connection.ts'

// Requests that may confuse a parser, a router or a proxy in front, each on its own connection.
setDefaultTimeout(20_000)

let server: Listening
beforeAll(() => {
  server = listen()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const host = 'Host: tally.example\r\n'
const get = (headers: string): string => `GET /health HTTP/1.1\r\n${headers}\r\n`
const body = '{"numbers":[1],"text":"a"}'
const post = (headers: string, sent = body): string =>
  `POST /payload HTTP/1.1\r\n${host}Content-Type: application/json\r\n${headers}\r\n${sent}`
/** It gets a separate response only if the end of the previous request is misread. */
const smuggled = `GET /version HTTP/1.1\r\n${host}X-Request-ID: smuggled\r\n\r\n`

/**
 * Collects the responses to some bytes: all before the response to a valid request sent after them, or before the end
 * of the connection. Never waits for silence.
 */
async function exchange(bytes: string): Promise<{ responses: RawResponse[]; isOpen: boolean }> {
  using connection = await connectRaw(server.port)
  const responses: RawResponse[] = []
  void connection.send(bytes)
  const first = await connection.next(bytes.startsWith('HEAD') ? 'HEAD' : undefined)
  if (first !== undefined) responses.push(first)
  void connection.send(`GET /health HTTP/1.1\r\n${host}X-Request-ID: honest\r\n\r\n`)
  for (;;) {
    const response = await connection.next()
    if (response === undefined) return { responses, isOpen: false }
    if (response.headers.get('x-request-id') === 'honest') return { responses, isOpen: true }
    responses.push(response)
  }
}

async function expectHealthy(): Promise<void> {
  const { responses } = await exchange(get(host))
  expect(responses.map(({ status }) => status)).toEqual([200])
}

describe('Bun refuses with a status and closes the connection:', () => {
  const cases: [name: string, status: number, bytes: string][] = [
    [
      'Content-Length, then Transfer-Encoding',
      400,
      post(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${smuggled}`),
    ],
    [
      'Transfer-Encoding, then Content-Length',
      400,
      post(`Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`, `0\r\n\r\n${smuggled}`),
    ],
    ['Transfer-Encoding xchunked', 400, post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${smuggled}`)],
    [
      'Transfer-Encoding gzip, chunked',
      400,
      post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${smuggled}`),
    ],
    ['Transfer-Encoding identity', 400, post('Transfer-Encoding: identity\r\n', smuggled)],
    [
      'Transfer-Encoding twice',
      400,
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${smuggled}`),
    ],
    [
      'Transfer-Encoding in HTTP/1.0',
      400,
      `POST /payload HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    ['a space before the colon', 400, post('Content-Length : 26\r\n')],
    ['Content-Length -2', 400, post('Content-Length: -2\r\n')],
    ['Content-Length +26', 400, post('Content-Length: +26\r\n')],
    ['Content-Length 0x1a', 400, post('Content-Length: 0x1a\r\n')],
    ['Content-Length 26abc', 400, post('Content-Length: 26abc\r\n')],
    ['Content-Length empty', 400, post('Content-Length: \r\n')],
    ['Content-Length "26, 26"', 400, post('Content-Length: 26, 26\r\n')],
    ['Content-Length of 2^64 + 26', 400, post('Content-Length: 18446744073709551642\r\n')],
    ['Content-Length of 10^18', 400, post('Content-Length: 1000000000000000000\r\n')],
    ['two lengths that differ', 400, post(`Content-Length: 26\r\nContent-Length: 5\r\n`, body + smuggled)],
    [
      'a chunk size that is not a number',
      400,
      post('Transfer-Encoding: chunked\r\n', `zz\r\n${body}\r\n0\r\n\r\n`),
    ],
    ['a negative chunk size', 400, post('Transfer-Encoding: chunked\r\n', `-1\r\n${body}\r\n0\r\n\r\n`)],
    [
      'a chunk size beyond 64 bits',
      400,
      post('Transfer-Encoding: chunked\r\n', `ffffffffffffffff1\r\n${body}\r\n0\r\n\r\n`),
    ],
    ['a chunk without its line break', 400, post('Transfer-Encoding: chunked\r\n', `1a\r\n${body}0\r\n\r\n`)],
    [
      'a chunk extension with a bare LF',
      400,
      post('Transfer-Encoding: chunked\r\n', `1a;a\nb\r\n${body}\r\n0\r\n\r\n`),
    ],
    ['a bare LF between headers', 400, `GET /health HTTP/1.1\r\n${host}A: b\nC: d\r\n\r\n`],
    ['a bare CR in a header', 400, get(`${host}A: b\rC: d\r\n`)],
    ['a header folded over two lines', 400, get(`${host}A: b\r\n c\r\n`)],
    ['NUL in a header', 400, get(`${host}A: b\0c\r\n`)],
    ['a control byte in a header', 400, get(`${host}A: b\x01c\r\n`)],
    ['an empty header name', 400, get(`${host}: b\r\n`)],
    ['a space in a header name', 400, get(`${host}A B: c\r\n`)],
    ['no Host in HTTP/1.1', 400, 'GET /health HTTP/1.1\r\n\r\n'],
    ['two spaces in the request line', 400, `GET  /health HTTP/1.1\r\n${host}\r\n`],
    ['an empty line in front', 400, `\r\nGET /health HTTP/1.1\r\n${host}\r\n`],
    ['OPTIONS *', 400, `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
    ['a path without a slash', 400, `GET health HTTP/1.1\r\n${host}\r\n`],
    ['a TLS handshake', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/1.2', 505, `GET /health HTTP/1.2\r\n${host}\r\n`],
    ['HTTP/2.0 in a request line', 505, `GET /health HTTP/2.0\r\n${host}\r\n`],
    ['HTTP/0.9', 505, 'GET /health\r\n\r\n'],
    ['line breaks of LF alone', 505, 'GET /health HTTP/1.1\nHost: tally.example\n\n'],
    ['a header of 20 kB', 431, get(`${host}A: ${'a'.repeat(20_000)}\r\n`)],
    ['300 headers', 431, get(host + Array.from({ length: 300 }, (_, i) => `A${i}: b\r\n`).join(''))],
    ['a path of 20 kB', 431, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`],
  ]
  for (const [name, status, bytes] of cases) {
    test(`${name}: ${status}`, async () => {
      const { responses, isOpen } = await exchange(bytes)
      expect({ statuses: responses.map((response) => response.status), isOpen }).toEqual({
        statuses: [status],
        isOpen: false,
      })
      await expectHealthy()
    })
  }
})

describe('Bun closes the connection without a response:', () => {
  for (const [name, bytes] of [
    ['an unknown method', `FOO /health HTTP/1.1\r\n${host}\r\n`],
    ['a method in lower case', `get /health HTTP/1.1\r\n${host}\r\n`],
    ['a method of 10 kB', `${'A'.repeat(10_000)} /health HTTP/1.1\r\n${host}\r\n`],
  ] as const) {
    test(name, async () => {
      const { responses, isOpen } = await exchange(bytes)
      expect({ responses, isOpen }).toEqual({ responses: [], isOpen: false })
      await expectHealthy()
    })
  }
})

describe('the service refuses before routing', () => {
  const withHost = (value: string): string => get(`Host: ${value}\r\n`)
  const cases: [name: string, bytes: string][] = [
    ['an empty Host', withHost('')],
    ['no Host in HTTP/1.0', 'GET /version HTTP/1.0\r\n\r\n'],
    ['no Host in HTTP/1.0, and a query', 'GET /health?a HTTP/1.0\r\n\r\n'],
    ['an empty Host in HTTP/1.0', 'GET /health HTTP/1.0\r\nHost:\r\n\r\n'],
    ['two Hosts', get('Host: a\r\nHost: b\r\n')],
    ['the same Host twice', get(host + host)],
    ['Host with a space', withHost('a b')],
    ['Host with a path', withHost('x/y')],
    ['Host with a user', withHost('u@x')],
    ['Host with a query', withHost('x?')],
    ['Host with a fragment', withHost('x#')],
    ['Host with two ports', withHost('a:b:c')],
    ['Host with a port above 65535', withHost('x:99999')],
    ['Host with a comma', withHost('a,b')],
    ['Host with a percent sign', withHost('a%2fb')],
    ['Host with a backslash', withHost('a\\b')],
    ['Host with an open bracket', withHost('[::1')],
    ['an absolute URL with an invalid Host', 'GET http://tally.example/health HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ]
  for (const [name, bytes] of cases) {
    test(`${name}: 400`, async () => {
      const { responses } = await exchange(bytes)
      expect(responses.map(({ status }) => status)).toEqual([400])
      expect(JSON.parse(responses[0]?.body ?? '')).toMatchObject({ code: 'invalid-host', status: 400 })
      await expectHealthy()
    })
  }

  test('GET /public/health with an invalid Host is not routed as /health', async () => {
    for (const value of ['a b', 'x/y', 'u@x', '']) {
      const { responses } = await exchange(`GET /public/health HTTP/1.1\r\nHost: ${value}\r\n\r\n`)
      expect(responses.map(({ status }) => status)).toEqual([400])
      expect(responses[0]?.body).not.toContain('"ok"')
    }
  })

  test('a valid Host does not make later ones on the connection valid', async () => {
    using connection = await connectRaw(server.port)
    for (const [value, status] of [
      ['tally.example', 200],
      ['a b', 400],
      ['tally.example', 200],
      ['', 400],
    ] as const) {
      await connection.send(withHost(value))
      expect((await connection.next())?.status).toBe(status)
    }
  })

  for (const value of [
    'tally.example',
    'tally.example:8080',
    'localhost',
    '127.0.0.1:1',
    '[::1]',
    '[::1]:80',
    'a_b',
    'x:65535',
  ]) {
    test(`not the valid Host ${value}`, async () => {
      const { responses } = await exchange(withHost(value))
      expect(responses.map(({ status }) => status)).toEqual([200])
    })
  }

  for (const [method, target] of [
    ['CONNECT', 'tally.example:443'],
    ['TRACE', '/health'],
  ] as const) {
    test(`${method}: 405 with Allow, and no part of the request in the response`, async () => {
      const { responses } = await exchange(`${method} ${target} HTTP/1.1\r\n${host}Cookie: secret\r\n\r\n`)
      expect(responses.map(({ status }) => status)).toEqual([405])
      expect(responses[0]?.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS')
      expect(responses[0]?.body).not.toContain('secret')
      await expectHealthy()
    })
  }
})

describe('an unusual but legal request gets one response, and does not affect the next request:', () => {
  const cases: [name: string, status: number, bytes: string][] = [
    ['the same length twice', 200, post(`Content-Length: 26\r\nContent-Length: 26\r\n`)],
    ['a space after the length', 200, post('Content-Length: 26 \r\n')],
    ['a chunk extension', 200, post('Transfer-Encoding: chunked\r\n', `1a;a=b\r\n${body}\r\n0\r\n\r\n`)],
    ['Transfer-Encoding Chunked', 200, post('Transfer-Encoding: Chunked\r\n', `1a\r\n${body}\r\n0\r\n\r\n`)],
    ['GET with a request as its body', 200, get(`${host}Content-Length: ${smuggled.length}\r\n`) + smuggled],
    ['HEAD with a body', 200, `HEAD /docs/start.js HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`],
    ['QUERY', 405, `QUERY /health HTTP/1.1\r\n${host}\r\n`],
    ['an absolute URL', 200, `GET http://elsewhere.example/health HTTP/1.1\r\n${host}\r\n`],
    ['a fragment', 200, `GET /docs#fragment HTTP/1.1\r\n${host}\r\n`],
    ['an unknown Expect', 200, get(`${host}Expect: the-unexpected\r\n`)],
    ['a path of percent signs', 404, `GET /%zz%ff%00 HTTP/1.1\r\n${host}\r\n`],
    ['a path out of the root', 404, `GET /../../etc/passwd HTTP/1.1\r\n${host}\r\n`],
    ['a path to a file', 404, `GET /docs/..%2f..%2fpackage.json HTTP/1.1\r\n${host}\r\n`],
  ]
  for (const [name, status, bytes] of cases) {
    test(`${name}: ${status}`, async () => {
      const { responses } = await exchange(bytes)
      expect(responses.filter(({ headers }) => headers.get('x-request-id') === 'smuggled')).toEqual([])
      expect(responses.map((response) => response.status)).toEqual([status])
    })
  }

  test('trailers: the request gets a response, and the connection ends', async () => {
    const chunks = `1a\r\n${body}\r\n0\r\nX-Trailer: a\r\n\r\n${smuggled}`
    const { responses, isOpen } = await exchange(post('Transfer-Encoding: chunked\r\n', chunks))
    expect({ statuses: responses.map(({ status }) => status), isOpen }).toEqual({
      statuses: [200, 400],
      isOpen: false,
    })
  })

  test('Expect: 100-continue gets 100, and then the response', async () => {
    using connection = await connectRaw(server.port)
    await connection.send(post('Expect: 100-continue\r\nContent-Length: 26\r\n', ''))
    expect((await connection.next())?.status).toBe(100)
    await connection.send(body)
    expect((await connection.next())?.status).toBe(200)
  })
})

describe('probes, metrics and admin routes', () => {
  const admin = adminDeps({ token: 'operator-token' })
  const others = (path: string): string[] => [
    `/x\\..${path}`,
    `/x\\..\\${path.slice(1)}`,
    `\\${path.slice(1)}`,
    `/x/..${path}`,
    `/.${path}`,
    `/%2e${path}`,
    `/x/%2e%2e${path}`,
    `/x/.%2E${path}`,
    `/x%5c..${path}`,
    `/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`,
    `${path}#fragment`,
    `${path}\\`,
    `/${path}`,
  ]

  test('answer only to their literal path: another spelling is 400 or 404, and never the route', async () => {
    for (const basePath of ['', '/tally']) {
      await using guarded = listen({ admin, basePath })
      for (const path of ['/metrics', '/health', '/version', '/admin/faults', `${basePath}/metrics`]) {
        for (const target of others(path)) {
          using connection = await connectRaw(guarded.port)
          await connection.send(
            `GET ${target} HTTP/1.1\r\n${host}Authorization: Bearer operator-token\r\n\r\n`,
          )
          const response = await connection.next()
          expect({ target, isRefused: [400, 404].includes(response?.status ?? 0) }).toEqual({
            target,
            isRefused: true,
          })
        }
        using connection = await connectRaw(guarded.port)
        for (const target of [path, `${path}?a=../b`, `http://elsewhere.example${path}`]) {
          await connection.send(
            `GET ${target} HTTP/1.1\r\n${host}Authorization: Bearer operator-token\r\n\r\n`,
          )
          expect({ target, status: (await connection.next())?.status }).toEqual({ target, status: 200 })
        }
      }
    }
  })

  test('POST /tasks/retry changes nothing by another spelling', async () => {
    let calls = 0
    const queue = { ...absentQueue, retryFailed: async () => ++calls }
    const operator = adminDeps({ token: 'operator-token', queue })
    for (const basePath of ['', '/tally']) {
      calls = 0
      await using guarded = listen({ admin: operator, basePath })
      for (const path of new Set(['/tasks/retry', `${basePath}/tasks/retry`])) {
        const post = async (target: string) => {
          using connection = await connectRaw(guarded.port)
          await connection.send(
            `POST ${target} HTTP/1.1\r\n${host}Authorization: Bearer operator-token\r\nContent-Length: 0\r\n\r\n`,
          )
          return (await connection.next())?.status
        }
        const before = calls
        for (const target of others(path)) {
          const status = (await post(`${target}?status=failed`)) ?? 0
          expect({ target, isRefused: [400, 404].includes(status), calls }).toEqual({
            target,
            isRefused: true,
            calls: before,
          })
        }
        expect([await post(`${path}?status=failed`), calls]).toEqual([200, before + 1])
      }
    }
  })

  test('get the problem code invalid-target', async () => {
    const { responses } = await exchange(`GET /x\\..\\metrics HTTP/1.1\r\n${host}\r\n`)
    expect(responses.map(({ status }) => status)).toEqual([400])
    expect(JSON.parse(responses[0]?.body ?? '')).toMatchObject({ code: 'invalid-target' })
  })

  test('probes are answered over HTTP/1.0 without a Host, as balancers ask by default', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      for (const path of ['/health', '/healthz', '/livez', '/ready', '/readyz']) {
        const { responses } = await exchange(`${method} ${path} HTTP/1.0\r\n\r\n`)
        const status = method === 'OPTIONS' ? 405 : 200
        expect(responses.map((response) => response.status)).toEqual([status])
      }
    // A relative URL of another shape is not routed.
    for (const target of ['/x/../health', '/public/health', '/data', '/metrics', '//health'])
      expect((await exchange(`GET ${target} HTTP/1.0\r\n\r\n`)).responses[0]?.status).toBe(400)
  })
})

test('HEAD with a missing or malformed Host is refused like GET, by the service itself', async () => {
  for (const bytes of ['HEAD /version HTTP/1.0\r\n\r\n', 'HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n']) {
    const { responses } = await exchange(bytes)
    expect(responses[0]?.status).toBe(400)
    expect(responses[0]?.headers.get('x-request-id')).toBeTruthy()
  }
})
