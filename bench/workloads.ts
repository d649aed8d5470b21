import { analyzeIndependently, type Expected } from './expected.ts'

/** One kind of request and how to send it. */
export interface Workload {
  readonly name: string
  readonly title: string
  /** The request as raw bytes. */
  readonly request: Uint8Array
  readonly bodyBytes: number
  /** Open keep-alive connections. */
  readonly connections: number
  /** Requests in flight at a time; with fewer than connections, these take turns. Default: one per connection. */
  readonly inFlight?: number
  /** The correct figures for `POST /payload`; if absent, only the status is checked. */
  readonly expected?: Expected
  /** The expected status. Default: 200. */
  readonly status?: number
}

/**
 * The payloads by size. Larger ones use fewer connections: one huge body occupies the server's core, and a second one
 * in flight would add only waiting time to the latency.
 */
export function payloadWorkloads(): Workload[] {
  return [
    payload('small', [1, 2, 3, 4, 5], 'Sample text for analysis', 32),
    payload('medium', doubles(1_000), prose(2_000), 16),
    payload('large', doubles(100_000), prose(100_000), 2),
    payload('huge', doubles(1_000_000), prose(100_000), 1),
  ]
}

function payload(name: string, numbers: readonly number[], text: string, connections: number): Workload {
  const body = JSON.stringify({ numbers, text })
  const bodyBytes = Buffer.byteLength(body)
  const [count, characters] = [numbers.length, text.length].map((n) => n.toLocaleString('en'))
  return {
    name,
    title: `${count} numbers, ${characters} characters, ${size(bodyBytes)}`,
    request: postPayload(body),
    bodyBytes,
    connections,
    expected: analyzeIndependently(numbers, text),
  }
}

/** The given count of numbers and a short text: the cost of numbers alone. */
export function workloadOfNumbers(count: number): Workload {
  const connections = count <= 1_000 ? 32 : count <= 10_000 ? 8 : count <= 100_000 ? 2 : 1
  return payload(`${count} numbers`, doubles(count), 'Sample text for analysis', connections)
}

/** The smallest request over many open connections, with at most 32 requests in flight. */
export function workloadOfConnections(connections: number): Workload {
  const small = payload(
    `${connections} connections`,
    [1, 2, 3, 4, 5],
    'Sample text for analysis',
    connections,
  )
  return { ...small, inFlight: Math.min(connections, 32) }
}

/** A probe as raw bytes. */
export const getHealth: Uint8Array = Buffer.from('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')

/** `GET /` of a program, which is answered with JSON; a browser gets the console. */
export function getIndex(): Workload {
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n')
  return { name: 'GET /', title: 'GET /', request, bodyBytes: 0, connections: 32 }
}

/** Formats a `POST /payload` request with this body. */
export function postPayload(body: string): Uint8Array {
  return postJson('/payload', body)
}

/** Formats a POST request with a JSON body and extra header lines. */
export function postJson(path: string, body: string, headers: readonly string[] = []): Uint8Array {
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** The same doubles in every run, up to 18 characters each in JSON: multiples of 2^-29, as `exactMoments` requires. */
function doubles(count: number): number[] {
  const next = randomNumbers(20_261_121)
  return Array.from({ length: count }, () => next() * 1_000)
}

/** Mulberry32, a seeded generator (T. Ettinger): numbers in 0..1 with 32 random bits. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const paragraphs = [
  'The drain window ends when no client is connected. A load balancer needs seconds to learn that! ',
  'Version 3.14 of the protocol omits this matter, so all responses inform clients of the drain.\n\n',
  'What happens to a request on its way? It is served, counted and answered; then the process may go.\n',
] as const

/** ASCII prose of this length. */
function prose(length: number): string {
  const text = paragraphs.join('')
  return text.repeat(Math.ceil(length / text.length)).slice(0, length)
}

function size(bytes: number): string {
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(0)} kB` : `${bytes} bytes`
}
