import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { listen } from '../../support/listening.ts'
import { expectProblem } from '../../support/problems.ts'
import { connectRaw, exchangeRaw } from '../../support/raw-connection.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(20_000)

const good = JSON.stringify(examplePayload)

/** How to read a body: by `jsonBody` or the fast path if its length is known, otherwise in blocks. */
const readers: [name: string, payloadFastPath: boolean, hasLength: boolean][] = [
  ['with a length', false, true],
  ['on the fast path', true, true],
  ['without a length', true, false],
]

describe.each(readers)('a body %s', (_, payloadFastPath, hasLength) => {
  const app = createApp(appDeps({ payloadFastPath }))
  const send = async (body: string | Uint8Array<ArrayBuffer>, changes: Record<string, string> = {}) => {
    const headers = new Headers({ 'content-type': 'application/json', ...changes })
    if (hasLength) headers.set('content-length', String(Buffer.byteLength(body)))
    return await app.fetch(new Request('http://tally.example/payload', { method: 'POST', headers, body }))
  }

  describe('the media type', () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'application/json;charset=UTF-8',
      'Application/JSON',
      'application/json; charset="utf-8"',
      'application/vnd.tally+json',
      'application/json;',
      'application/json; charset=utf8',
      'application/json; odata.metadata=minimal',
      'application/vnd.api+json; ext="https://jsonapi.example/a;b, c"',
    ]) {
      test(`${type} is JSON`, async () => {
        expect((await send(good, { 'content-type': type })).status).toBe(200)
      })
    }

    for (const type of [
      'text/plain',
      'application/json; charset=latin1',
      'application/json; charset=utf-16',
      'application/jsonp',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/json, application/json',
    ]) {
      test(`${type} is refused with 415`, async () => {
        await expectProblem(await send(good, { 'content-type': type }), 415, 'unsupported-media-type')
      })
    }

    test('a missing media type is refused with 415', async () => {
      await expectProblem(await send(good, { 'content-type': '' }), 415, 'unsupported-media-type')
      const body = new TextEncoder().encode(good)
      const untyped = new Request('http://tally.example/payload', { method: 'POST', body })
      expect(untyped.headers.has('content-type')).toBe(false)
      if (hasLength) untyped.headers.set('content-length', String(body.length))
      await expectProblem(await app.fetch(untyped), 415, 'unsupported-media-type')
    })

    for (const encoding of ['gzip', 'br', 'gzip, identity']) {
      test(`Content-Encoding ${encoding} is refused with 415`, async () => {
        await expectProblem(await send(good, { 'content-encoding': encoding }), 415, 'unsupported-media-type')
      })
    }

    test('Content-Encoding identity is accepted', async () => {
      expect((await send(good, { 'content-encoding': 'identity' })).status).toBe(200)
    })
  })

  describe('malformed JSON', () => {
    for (const [name, body] of [
      ['an empty body', ''],
      ['white space', ' \n'],
      ['an incomplete object', '{"numbers":[1],'],
      ['a trailing comma', '{"numbers":[1,],"text":"a"}'],
      ['text after the end', '{"numbers":[1],"text":"a"} x'],
      ['two values', '{}{}'],
      ['NaN', '{"numbers":[NaN],"text":"a"}'],
      ['Infinity', '{"numbers":[Infinity],"text":"a"}'],
      ['a hexadecimal number', '{"numbers":[0x10],"text":"a"}'],
      ['a leading zero', '{"numbers":[01],"text":"a"}'],
      ['single quotes', "{'numbers':[1],'text':'a'}"],
      ['a raw NUL in a string', '{"numbers":[1],"text":"\0"}'],
      ['a raw NUL after the end', '{"numbers":[1],"text":"a"}\0'],
      ['a raw line break in a string', '{"numbers":[1],"text":"a\nb"}'],
      ['an unknown escape', '{"numbers":[1],"text":"\\x"}'],
      ['half an escape', '{"numbers":[1],"text":"\\u12"}'],
    ] as const) {
      test(`is refused with 400: ${name}`, async () => {
        await expectProblem(await send(body), 400, 'malformed-json')
      })
    }

    test('an empty body is reported as empty', async () => {
      expect((await expectProblem(await send(''), 400, 'malformed-json')).detail).toBe('The body is empty.')
    })

    const deep = 100_000
    for (const [name, body] of [
      ['arrays', '['.repeat(deep) + ']'.repeat(deep)],
      ['arrays never closed', '['.repeat(deep)],
      ['objects', `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`],
      ['objects never closed', '{"a":'.repeat(deep)],
      ['arrays instead of the text', `{"numbers":[1],"text":${'['.repeat(deep)}${']'.repeat(deep)}}`],
    ] as const) {
      test(`100,000 levels of ${name} are refused with 400 and a reason, and the service continues`, async () => {
        const problem = await expectProblem(await send(body), 400, 'malformed-json')
        expect(problem.detail).toBe('Arrays and objects must not be nested more than 1000 levels deep.')
        expect((await send(good)).status).toBe(200)
      })
    }

    test('100,000 brackets in a text are accepted as text', async () => {
      const response = await send(JSON.stringify({ numbers: [1], text: '[{"\\'.repeat(50_000) }))
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({ text_analysis: { character_count: 200_000 } })
    })
  })

  describe('UTF-8', () => {
    test('a byte order mark at the beginning is ignored', async () => {
      expect((await send(`\ufeff${good}`)).status).toBe(200)
    })

    const around = (...bytes: number[]) =>
      Buffer.concat([Buffer.from('{"numbers":[1],"text":"'), Buffer.from(bytes), Buffer.from('"}')])
    for (const [name, body] of [
      ['an invalid first byte', around(0xff)],
      ['a continuation byte alone', around(0x80)],
      ['a sequence interrupted by the closing quote', around(0xe2, 0x82)],
      [
        'a sequence interrupted by the end of the body',
        Buffer.concat([Buffer.from(good), Buffer.from([0xf0, 0x9f, 0x98])]),
      ],
      ['an overlong slash', around(0xc0, 0xaf)],
      ['an overlong NUL', around(0xc0, 0x80)],
      ['an overlong three-byte sequence', around(0xe0, 0x80, 0xaf)],
      ['a surrogate in three bytes', around(0xed, 0xa0, 0x80)],
      ['a code point beyond U+10FFFF', around(0xf4, 0x90, 0x80, 0x80)],
      ['UTF-16', Buffer.from(good, 'utf16le').fill(0xff, 0, 1)],
    ] as const) {
      test(`${name} is refused with 400, and does not affect the next body`, async () => {
        await expectProblem(await send(body), 400, 'not-utf-8')
        expect((await send(good)).status).toBe(200)
      })
    }
  })
})

describe('the size, over a socket', () => {
  const maxBytes = 64
  const changes = { limits: { ...appDeps().limits, maxBodyBytes: maxBytes } }
  const payloadOf = (bytes: number): string => {
    const [head, tail] = ['{"numbers":[1],"text":"', '"}']
    return head + 'a'.repeat(bytes - head.length - tail.length) + tail
  }
  const head = 'POST /payload HTTP/1.1\r\nHost: tally.example\r\nContent-Type: application/json\r\n'
  const withLength = (body: string): string => `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  const chunked = (...chunks: string[]): string =>
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.map((one) => `${one.length.toString(16)}\r\n${one}\r\n`).join('')}0\r\n\r\n`

  for (const [name, write] of [
    ['announced by Content-Length', withLength],
    ['in one chunk', (body: string) => chunked(body)],
    ['in many chunks', (body: string) => chunked(...(body.match(/.{1,7}/g) ?? []))],
    [
      'announced twice with the same length',
      (body: string) =>
        `${head}Content-Length: ${body.length}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    ],
  ] as const) {
    test(`MAX_BODY_BYTES ${name} are accepted, one more is refused with 413`, async () => {
      await using server = listen(changes)
      expect((await exchangeRaw(server.port, write(payloadOf(maxBytes))))?.status).toBe(200)
      const refused = await exchangeRaw(server.port, write(payloadOf(maxBytes + 1)))
      expect(refused?.status).toBe(413)
      expect(refused?.headers.get('content-type')).toBe('application/problem+json')
      expect(JSON.parse(refused?.body ?? '')).toMatchObject({
        code: 'body-too-large',
        detail: 'The body must not exceed 64 bytes.',
      })
    })
  }

  test('33 MiB by Content-Length: the complete 413 reaches a client that sends everything first', async () => {
    await using server = listen()
    using connection = await connectRaw(server.port)
    await connection.send(`${head}Content-Length: ${33 * 2 ** 20}\r\n\r\n`)
    await connection.send(new Uint8Array(33 * 2 ** 20).fill(0x61))
    expect((await connection.next())?.status).toBe(413)
    await connection.send(withLength(good))
    expect((await connection.next())?.status).toBe(200)
  })

  test('33 MiB in chunks: the complete 413 reaches a client that sends everything first', async () => {
    await using server = listen()
    using connection = await connectRaw(server.port)
    await connection.send(`${head}Transfer-Encoding: chunked\r\n\r\n`)
    const mebibyte = Buffer.concat([
      Buffer.from('100000\r\n'),
      Buffer.alloc(2 ** 20, 'a'),
      Buffer.from('\r\n'),
    ])
    for (let i = 0; i < 33; i++) await connection.send(mebibyte)
    await connection.send('0\r\n\r\n')
    expect((await connection.next())?.status).toBe(413)
    expect(await connection.next()).toBeUndefined()
  })

  test('a body that arrives byte by byte is accepted', async () => {
    await using server = listen()
    using connection = await connectRaw(server.port)
    await connection.send(`${head}Content-Length: ${good.length}\r\n\r\n`)
    for (const byte of good) await connection.send(byte)
    expect((await connection.next())?.status).toBe(200)
  })

  test('a client that disconnects in the middle of its body is counted, and does no harm', async () => {
    await using server = listen()
    for (const start of [
      `${head}Content-Length: 1000\r\n\r\n{"numbers":[1,`,
      `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"num\r\n`,
    ]) {
      const connection = await connectRaw(server.port)
      await connection.send(start)
      await until(() => server.app.requests.size === 1)
      connection[Symbol.dispose]()
      await until(() => server.app.requests.size === 0)
    }
    expect(
      (
        await fetch(`${server.url}/payload`, {
          method: 'POST',
          body: good,
          headers: { 'content-type': 'application/json' },
        })
      ).status,
    ).toBe(200)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain('api_http_requests_total{method="POST",route="/payload",status="400"} 2')
  })
})
