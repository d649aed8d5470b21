import type { Random } from './random.ts'

/** What one connection sends: its pieces, in order, each in a separate write. */
export type Input = readonly Uint8Array[]

const encoder = new TextEncoder()

/** A correct small payload. */
export const payload = '{"numbers":[1,2,3,4,5],"text":"Sample text for analysis"}'

/** Correct requests. Most inputs are damaged variants of these. */
const requests = [
  post('/payload', payload),
  post('/payload?format=compact', payload),
  post('/data', '{"name":"a document","value":1.5}'),
  post('/tasks', '{"payload":"Some text."}', 'Idempotency-Key: 7f3a\r\n'),
  get('/data?limit=2'),
  get('/tasks?status=failed'),
  get('/health'),
  get('/ready'),
  get('/metrics'),
  get('/openapi.json'),
  `POST /payload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${payload.length.toString(16)}\r\n${payload}\r\n0\r\n\r\n`,
] as const

/** Pieces of HTTP, JSON and text that have caused parser errors. */
const troublesome = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\0',
  ' ',
  ':',
  'Content-Length: 5\r\n',
  'Content-Length: -1\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Host: other\r\n',
  'Host: a b\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'Content-Encoding: gzip\r\n',
  `X-Long: ${'a'.repeat(20_000)}\r\n`,
  'X-Request-ID: \x1b[31m"\\\r\n',
  'GET http://other/ HTTP/1.1\r\n',
  'HTTP/0.9',
  'HTTP/1.2',
  '/../../',
  '/%2e%2e/%00',
  '%',
  '{"__proto__":{"polluted":true}}',
  '[[[[[[[[[[[[[[[[',
  '1e999',
  '-',
  '"\\ud800"',
  '\ufeff',
  'ﬀffffffffffffffff\r\n',
  '0\r\n\r\n',
] as const

/** One input, determined by `random` alone. */
export function createInput(random: Random): Input {
  if (random.below(10) === 0) return cut(random, random.bytes(1 + random.below(2_000)))
  const count = 1 + random.below(3)
  const parts = Array.from({ length: count }, () => spoil(random, encoder.encode(random.pick(requests))))
  return cut(random, concat(parts))
}

/** Up to four changes in one request; in one of eight cases none. */
function spoil(random: Random, request: Uint8Array): Uint8Array {
  let spoilt = request
  const changes = random.below(8) === 0 ? 0 : 1 + random.below(4)
  for (let i = 0; i < changes; i++) spoilt = change(random, spoilt)
  return spoilt
}

function change(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1)
  const length = random.below(Math.min(64, bytes.length - at) + 1)
  switch (random.below(6)) {
    case 0: // another byte
      return replace(bytes, at, Math.min(1, bytes.length - at), random.bytes(1))
    case 1: // some bytes less
      return replace(bytes, at, length, new Uint8Array())
    case 2: // some bytes twice
      return replace(bytes, at, 0, bytes.subarray(at, at + length))
    case 3: // random bytes between
      return replace(bytes, at, 0, random.bytes(1 + random.below(32)))
    case 4: // the end is missing
      return bytes.subarray(0, at)
    default:
      return replace(bytes, at, 0, encoder.encode(random.pick(troublesome)))
  }
}

/** One to three pieces. */
function cut(random: Random, bytes: Uint8Array): Input {
  const ends = [random.below(bytes.length + 1), random.below(bytes.length + 1), bytes.length]
    .slice(random.below(3))
    .sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter(({ length }) => length > 0)
}

function replace(bytes: Uint8Array, at: number, length: number, by: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, at), by, bytes.subarray(at + length)])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
}

function post(path: string, body: string, headers = ''): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}
