import fc from 'fast-check'
import { examplePayload } from './example-payload.ts'

/** The fast path does not take bodies above this size, in bytes. */
export const maxFastBytes = 3_000
/** Bodies above this size are rejected, in bytes. */
export const maxBodyBytes = 4_096

/** A request as data, so that it can be sent twice. */
export interface RequestShape {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly type: string | undefined
  readonly encoding: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  /** How the body arrives: in one piece, in chunks, or as a stream that ends with an error. */
  readonly arrival: 'whole' | 'chunks' | 'error'
  /** Content-Length: correct, absent, or any text. */
  readonly length: 'correct' | 'absent' | string
}

export function toRequest({
  method,
  path,
  host,
  type,
  encoding,
  headers,
  bytes,
  arrival,
  length,
}: RequestShape): Request {
  const all = new Headers({ host, ...headers })
  if (type !== undefined) all.set('content-type', type)
  if (encoding !== undefined) all.set('content-encoding', encoding)
  if (length !== 'absent') all.set('content-length', length === 'correct' ? String(bytes.length) : length)
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(`http://tally.example${path}`, {
    method,
    headers: all,
    ...(hasBody && { body: arrival === 'whole' ? bytes : streamOf(bytes, arrival) }),
  })
}

function streamOf(bytes: Uint8Array, arrival: 'chunks' | 'error'): ReadableStream<Uint8Array> {
  let from = 0
  return new ReadableStream({
    pull(controller) {
      if (from < bytes.length) {
        controller.enqueue(bytes.slice(from, from + 1_000))
        from += 1_000
      } else if (arrival === 'error') controller.error(new Error('connection lost'))
      else controller.close()
    },
  })
}

/** Whether the fast path should take a request: a plain POST of JSON with a known, moderate length. */
export function isPlain(shape: RequestShape, basePath: string): boolean {
  const { method, host, type, encoding, bytes, length } = shape
  const path = toRequest(shape).url.replace('http://tally.example', '')
  const announced = length === 'correct' ? bytes.length : Number(length === 'absent' ? Number.NaN : length)
  return (
    method === 'POST' &&
    [`${basePath}/payload`, `${basePath}/v1/payload`].includes(path) &&
    goodHosts.includes(host) &&
    goodTypes.includes(type ?? '') &&
    goodEncodings.includes(encoding) &&
    announced <= maxFastBytes
  )
}

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
export const example = utf8(JSON.stringify(examplePayload))
export const plain: RequestShape = {
  method: 'POST',
  path: '/payload',
  host: 'tally.example',
  type: 'application/json',
  encoding: undefined,
  headers: {},
  bytes: example,
  arrival: 'whole',
  length: 'correct',
}

const goodHosts = ['tally.example', 'tally.example:8080', '[::1]:80', 'TALLY', '127.0.0.1']
export const badHosts = [
  'a b',
  '',
  'tally.example, tally.example',
  'a:65536',
  'a/b',
  'user@tally',
  'tally.example:x',
]
const goodTypes = [
  'application/json',
  'application/JSON; charset=utf-8',
  'APPLICATION/json',
  'application/json;charset="UTF-8"',
  'application/json ; charset = utf-8 ',
  'application/vnd.x+json',
  'application/vnd.x-1_2+JSON;charset=utf-8',
  'application/json;',
  'application/json; charset=utf8',
  'application/json; version=1 ; odata.metadata=minimal',
  'application/vnd.api+json; ext="https://jsonapi.example/ext, \\"quoted\\";charset=latin1"',
]
export const badTypes = [
  'text/plain',
  'application/json; charset=latin1',
  'application/json; charset="latin1"',
  'application/json; charset',
  'application/json; a="b',
  'application/json, application/json',
  'application/jsonx',
  'text/x+json',
  '',
  'json',
  undefined,
]
const goodEncodings = [undefined, 'identity', 'IDENTITY']
export const badEncodings = ['gzip', '', 'identity, gzip']
const paths = ['/payload', '/v1/payload']
export const oddPaths = [
  '/p%61yload',
  '/payload/',
  '//payload',
  '/v1//payload',
  '/v1/v1/payload',
  '/PAYLOAD',
  '/payload%2f',
  '/payload%',
  '/x/../payload',
  '/payload;a',
  '/tally/payload',
  '/tally/v1/payload',
  '/tally/p%61yload',
  '/data/payload',
]
export const queries = [
  '?',
  '?format=full',
  '?format=compact',
  '?format=none',
  '?format=compact&format=full',
  '?format=',
  '?format',
  '?other=1',
  '?other=/payload',
  '?form%61t=compact',
  '?format=full&x=%',
  '#format',
]

/** Mostly usual values, occasionally an odd one. */
const mostly = <T>(usual: readonly T[], odd: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 7, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  )

const space = fc.constantFrom('', '', '', ' ', '\n\t', ' \r')
const literal = fc.oneof(
  { weight: 8, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String) },
  { weight: 2, arbitrary: fc.integer().map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('-0', '1E+2', '1.0e-2', '0.1e-400', '123456789012345678901234567890'),
  },
)
const badLiteral = fc.constantFrom('1e400', '-1e999', '01', '.5', '1.', 'NaN', 'null', '"1"', '[1]', '+1', '')
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30, unit: 'binary' }),
  fc.string({ minLength: 1, maxLength: 30 }),
  fc.constantFrom('Ein Satz. Noch einer! ', '\ud800', '\\"\u0000').map((part) => part.repeat(10)),
  fc.constant('many words. '.repeat(40)),
)
const valid = fc
  .record({
    numbers: fc.oneof(
      fc.array(literal, { minLength: 1, maxLength: 8 }),
      fc.array(literal, { minLength: 40, maxLength: 100 }),
    ),
    text,
    between: space,
    isTextFirst: fc.boolean(),
  })
  .map(({ numbers, text, between, isTextFirst }) => {
    const members = [
      `"numbers"${between}:${between}[${numbers.join(`,${between}`)}${between}]`,
      `"text":${between}${JSON.stringify(text)}`,
    ]
    return `${between}{${(isTextFirst ? members.reverse() : members).join(`${between},`)}}${between}`
  })
const padding = `"${'x'.repeat(600)}"`
const invalid = fc.oneof(
  fc
    .tuple(fc.array(literal, { maxLength: 60 }), badLiteral)
    .map(([numbers, bad]) => `{"numbers":[${[...numbers, bad].join(',')}],"text":"a"}`),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc
    .record({ numbers: fc.jsonValue(), text: fc.jsonValue(), other: fc.jsonValue() }, { requiredKeys: [] })
    .map((value) => JSON.stringify(value)),
  fc.constantFrom(
    '',
    ' ',
    '{}',
    'null',
    '{"numbers":[],"text":"a"}',
    '{"numbers":[1],"text":""}',
    '{"numbers":[1],"numbers":[2],"text":"a"}',
    `{"numbers":[1],"numbers":[2],"text":"a","text":${padding.slice(0, 400)}"}`,
    '{"numbers":[1],"text":"a","extra":1}',
    '{"numbers":[1],"text":"a","__proto__":{}}',
    '{"__proto__":[1],"text":"a"}',
    '{"n\\u0075mbers":[1],"text":"a"}',
    `{"n\\u0075mbers":[1],"text":${padding.slice(0, 450)}"}`,
    `{"numbers":[1],"text":${padding}}`,
    `{"numbers":[${'1,'.repeat(100)}1],"text":"a"}`,
    `{"numbers":[${'"a",'.repeat(60)}1],"text":1}`,
    `{"numbers":[1],"text":"a"}${' '.repeat(600)}x`,
    `{"numbers":[1],"text":"a"}${' '.repeat(maxBodyBytes)}`,
    '\ufeff{"numbers":[1],"text":"a"}',
    '[1,2',
  ),
  fc.constantFrom(5, 999, 1_000, 1_001, 1_400).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
)
const bodies = fc.oneof(
  { weight: 6, arbitrary: valid.map(utf8) },
  { weight: 3, arbitrary: invalid.map(utf8) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 700 }) },
  // A valid payload that is damaged in one place, or ends early.
  {
    weight: 1,
    arbitrary: fc.tuple(valid, fc.nat(), fc.nat(255)).map(([json, at, byte]) => {
      const bytes = utf8(json)
      bytes[at % bytes.length] = byte
      return bytes
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(valid, fc.nat()).map(([json, at]) => utf8(json).slice(0, at % json.length)),
  },
)
/** The API key of most requests. */
export const knownKey = 'tally_known'
const requestIds = ['abc', 'A-z_0.9', 'x'.repeat(128), 'x'.repeat(129), 'a b', '', '<script>']
const headers = fc
  .record(
    {
      'x-request-id': fc.constantFrom(...requestIds),
      'x-api-key': mostly([knownKey], ['unknown', '']),
      authorization: fc.constantFrom('Bearer eyJa.b.c', 'Bearer eyJb.b.c', 'Bearer eyJc.b.c', 'Basic x'),
      'accept-encoding': fc.constant('gzip'),
      origin: fc.constant('https://app.example'),
      traceparent: fc.constant('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
      expect: fc.constant('100-continue'),
    },
    { requiredKeys: [] },
  )
  .chain((some) =>
    // Most requests have valid credentials.
    fc.constantFrom(some, some, { ...some, 'x-api-key': knownKey, authorization: 'Bearer eyJz.b.c' }),
  )
/** Requests for `POST /payload` below a base path, and similar requests. */
export const requestsBelow = (basePath: string): fc.Arbitrary<RequestShape> =>
  fc.record({
    method: mostly(
      ['POST'],
      ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'PROPFIND'],
    ),
    path: fc.oneof(
      { weight: 7, arbitrary: fc.constantFrom(...paths.map((path) => basePath + path)) },
      { weight: 1, arbitrary: fc.constantFrom(...paths, ...oddPaths) },
      { weight: 1, arbitrary: fc.constantFrom(...oddPaths.map((path) => basePath + path)) },
      { weight: 1, arbitrary: fc.constantFrom(...queries.map((query) => `${basePath}/payload${query}`)) },
    ),
    host: mostly(goodHosts, badHosts),
    type: mostly(goodTypes, badTypes),
    encoding: mostly(goodEncodings, badEncodings),
    headers,
    bytes: bodies,
    arrival: mostly<RequestShape['arrival']>(['whole'], ['chunks', 'error']),
    length: mostly(['correct'], ['absent', '0', '10', '3000', '3001', '5000', '1e2', '5, 5', '-1', 'x', '']),
  })
