import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Listening, listen } from '../support/listening.ts'
import { connectRaw, type RawResponse } from '../support/raw-connection.ts'

// What a client may send to confuse a parser, a router or the proxy in front, each on a connection of its own.
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
/** What would be answered as a second request if the first one's end were read differently. */
const smuggled = `GET /version HTTP/1.1\r\n${host}X-Request-ID: smuggled\r\n\r\n`

/**
 * The answers to some bytes: those that come before the answer to an honest request sent behind them, or
 * before the end of the connection. No time is waited for silence.
 */
async function answersTo(bytes: string): Promise<{ answers: RawResponse[]; open: boolean }> {
  using connection = await connectRaw(server.port)
  const answers: RawResponse[] = []
  void connection.send(bytes)
  const first = await connection.next(bytes.startsWith('HEAD') ? 'HEAD' : undefined)
  if (first !== undefined) answers.push(first)
  void connection.send(`GET /health HTTP/1.1\r\n${host}X-Request-ID: honest\r\n\r\n`)
  for (;;) {
    const answer = await connection.next()
    if (answer === undefined) return { answers, open: false }
    if (answer.headers.get('x-request-id') === 'honest') return { answers, open: true }
    answers.push(answer)
  }
}

async function expectHealthy(): Promise<void> {
  const { answers } = await answersTo(get(host))
  expect(answers.map(({ status }) => status)).toEqual([200])
}

describe('refused with a status, and the connection ends', () => {
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
      'a chunk size that is no number',
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
      const { answers, open } = await answersTo(bytes)
      expect({ statuses: answers.map((answer) => answer.status), open }).toEqual({
        statuses: [status],
        open: false,
      })
      await expectHealthy()
    })
  }
})

describe('the connection ends without an answer', () => {
  for (const [name, bytes] of [
    ['an unknown method', `FOO /health HTTP/1.1\r\n${host}\r\n`],
    ['a method in small letters', `get /health HTTP/1.1\r\n${host}\r\n`],
    ['a method of 10 kB', `${'A'.repeat(10_000)} /health HTTP/1.1\r\n${host}\r\n`],
  ] as const) {
    test(name, async () => {
      const { answers, open } = await answersTo(bytes)
      expect({ answers, open }).toEqual({ answers: [], open: false })
      await expectHealthy()
    })
  }
})

describe('what the parser lets through, the guard refuses before any routing', () => {
  const withHost = (value: string): string => get(`Host: ${value}\r\n`)
  const cases: [name: string, bytes: string][] = [
    ['an empty Host', withHost('')],
    ['no Host in HTTP/1.0', 'GET /health HTTP/1.0\r\n\r\n'],
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
    ['an absolute URL with a bad Host', 'GET http://tally.example/health HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ]
  for (const [name, bytes] of cases) {
    test(`${name}: 400`, async () => {
      const { answers } = await answersTo(bytes)
      expect(answers.map(({ status }) => status)).toEqual([400])
      expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ code: 'bad-host', status: 400 })
      await expectHealthy()
    })
  }

  test('GET /public/health with a bad Host is not routed as /health', async () => {
    for (const value of ['a b', 'x/y', 'u@x', '']) {
      const { answers } = await answersTo(`GET /public/health HTTP/1.1\r\nHost: ${value}\r\n\r\n`)
      expect(answers.map(({ status }) => status)).toEqual([400])
      expect(answers[0]?.body).not.toContain('"ok"')
    }
  })

  test('a good Host before does not make a bad one good', async () => {
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
    test(`Host ${value} is one`, async () => {
      const { answers } = await answersTo(withHost(value))
      expect(answers.map(({ status }) => status)).toEqual([200])
    })
  }

  for (const [method, target] of [
    ['CONNECT', 'tally.example:443'],
    ['TRACE', '/health'],
  ] as const) {
    test(`${method}: 405 with Allow, and nothing of the request in it`, async () => {
      const { answers } = await answersTo(`${method} ${target} HTTP/1.1\r\n${host}Cookie: secret\r\n\r\n`)
      expect(answers.map(({ status }) => status)).toEqual([405])
      expect(answers[0]?.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS')
      expect(answers[0]?.body).not.toContain('secret')
      await expectHealthy()
    })
  }
})

describe('odd but legal: answered once, and the next request is read from its own beginning', () => {
  const cases: [name: string, status: number, bytes: string][] = [
    ['the same length twice', 200, post(`Content-Length: 26\r\nContent-Length: 26\r\n`)],
    ['a space behind the length', 200, post('Content-Length: 26 \r\n')],
    ['a chunk extension', 200, post('Transfer-Encoding: chunked\r\n', `1a;a=b\r\n${body}\r\n0\r\n\r\n`)],
    ['Transfer-Encoding Chunked', 200, post('Transfer-Encoding: Chunked\r\n', `1a\r\n${body}\r\n0\r\n\r\n`)],
    ['GET with a request for a body', 200, get(`${host}Content-Length: ${smuggled.length}\r\n`) + smuggled],
    ['HEAD with a body', 200, `HEAD /docs/start.js HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`],
    ['QUERY', 405, `QUERY /health HTTP/1.1\r\n${host}\r\n`],
    ['an absolute URL', 200, `GET http://elsewhere.example/health HTTP/1.1\r\n${host}\r\n`],
    ['a fragment', 200, `GET /health#fragment HTTP/1.1\r\n${host}\r\n`],
    ['an unknown Expect', 200, get(`${host}Expect: the-unexpected\r\n`)],
    ['a path of percent signs', 404, `GET /%zz%ff%00 HTTP/1.1\r\n${host}\r\n`],
    ['a path out of the root', 404, `GET /../../etc/passwd HTTP/1.1\r\n${host}\r\n`],
    ['a path to a file', 404, `GET /docs/..%2f..%2fpackage.json HTTP/1.1\r\n${host}\r\n`],
  ]
  for (const [name, status, bytes] of cases) {
    test(`${name}: ${status}`, async () => {
      const { answers } = await answersTo(bytes)
      expect(answers.filter(({ headers }) => headers.get('x-request-id') === 'smuggled')).toEqual([])
      expect(answers.map((answer) => answer.status)).toEqual([status])
    })
  }

  test('trailers: the request is answered and nothing behind it', async () => {
    const chunks = `1a\r\n${body}\r\n0\r\nX-Trailer: a\r\n\r\n${smuggled}`
    const { answers, open } = await answersTo(post('Transfer-Encoding: chunked\r\n', chunks))
    expect({ statuses: answers.map(({ status }) => status), open }).toEqual({
      statuses: [200, 400],
      open: false,
    })
  })

  test('Expect: 100-continue is told to go on and then answered', async () => {
    using connection = await connectRaw(server.port)
    await connection.send(post('Expect: 100-continue\r\nContent-Length: 26\r\n', ''))
    expect((await connection.next())?.status).toBe(100)
    await connection.send(body)
    expect((await connection.next())?.status).toBe(200)
  })
})
