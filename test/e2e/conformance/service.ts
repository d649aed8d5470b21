import { expect } from 'bun:test'
import { type OpenApiDocument, readServiceDocument } from './service-document.ts'
import { readConformanceSettings } from './settings.ts'

/**
 * How long one request may take, in ms, waiting for a rate limit included. Far above what any answer takes, so that it
 * ends a test that would hang and does not measure speed.
 */
const deadlineMs = 30_000

export const settings = readConformanceSettings(process.env)

/** Makes a unique name: the service may be in use, and another suite may run beside this one. */
export const uniqueName = (): string => `conformance-${crypto.randomUUID()}`

/** A complete answer. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body. @throws when it is no JSON */
  json<T = unknown>(): T
}

export interface Ask {
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is; `application/json` unless the headers say otherwise. */
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream
  readonly headers?: Readonly<Record<string, string>>
  /** Whether the credentials of the settings are sent. Default true. */
  readonly credentials?: boolean
}

/**
 * Sends one request to the service, waits for the whole answer, and checks it against the service's own OpenAPI document.
 *
 * @param path below BASE_URL, or a URL
 * @throws when there is no complete answer within the deadline
 */
export async function ask(method: string, path: string, request: Ask = {}): Promise<Answer> {
  const answer = await send(method, urlOf(path), request)
  const { status, headers, text } = answer
  const contentType = headers.get('content-type')
  const place = pathOf(path)
  const contradictions = service.findContradictions(method, place, { status, contentType, text })
  expect({ request: `${method} ${place.slice(0, 200)}`, status, contradictions }).toEqual({
    request: `${method} ${place.slice(0, 200)}`,
    status,
    contradictions: [],
  })
  return answer
}

/** The settings that every request takes, TLS as the settings want it. */
export function fetchOptions(signal: AbortSignal): BunFetchRequestInit {
  return {
    signal,
    redirect: 'manual',
    ...(settings.insecure && { tls: { rejectUnauthorized: false } }),
  }
}

/** What a client sends to be let in. */
export function credentials(): Record<string, string> {
  const { apiKey, token } = settings
  return {
    ...(apiKey !== undefined && { 'x-api-key': apiKey }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
}

/** Sends one request to any URL of the service. */
export async function send(method: string, url: string, request: Ask = {}): Promise<Answer> {
  const { json, body = json === undefined ? undefined : JSON.stringify(json) } = request
  const deadline = AbortSignal.timeout(deadlineMs)
  for (;;) {
    const response = await fetch(url, {
      ...fetchOptions(deadline),
      method,
      headers: {
        // The length of a compressed answer is not that of its text.
        'accept-encoding': 'identity',
        ...(request.credentials !== false && credentials()),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(body !== undefined && { body }),
    })
    const text = await response.text()
    const { status, headers } = response
    if (isToRepeat(status, text) && !(body instanceof ReadableStream)) {
      await waitFor(1_000 * Number(headers.get('retry-after') ?? 1), deadline)
      continue
    }
    return { status, headers, text, json: <T>() => JSON.parse(text) as T }
  }
}

/** Whether the service only refused the request for now, before it processed it. */
function isToRepeat(status: number, text: string): boolean {
  return (status === 429 || status === 503) && /"code":"(?:rate-limited|overloaded)"/.test(text)
}

/** Waits for the time of a Retry-After header. @throws at the deadline */
export function waitFor(ms: number, deadline: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  deadline.addEventListener('abort', () => {
    clearTimeout(timer)
    reject(deadline.reason)
  })
  return promise
}

/** The URL of a path, or of what a `Location` or `Link` of the service names. */
export function urlOf(path: string): string {
  if (URL.canParse(path)) return path
  return settings.baseUrl + path
}

/** The URL of a reference in an answer: an absolute path, which holds the base path already. */
export function resolve(reference: string | null): string {
  return new URL(reference ?? '', `${settings.baseUrl}/`).href
}

/** The path below BASE_URL. */
function pathOf(path: string): string {
  return path.startsWith(settings.baseUrl) ? path.slice(settings.baseUrl.length) : path
}

const described = await send('GET', urlOf('/openapi.json'))
if (described.status !== 200)
  throw new Error(`${urlOf('/openapi.json')} answered ${described.status}: is BASE_URL the address of Tally?`)

/** The service's description of itself. */
export const service = readServiceDocument(described.json<OpenApiDocument>())

/** Why the metrics are out of reach; undefined when they are not. */
export const noMetrics =
  settings.metricsUrl === undefined && service.findOperation('GET', '/metrics') === undefined
    ? 'no metrics at this address; METRICS_URL names them'
    : undefined

/** Why no task is expected to complete; undefined when each is. */
export const noWorker = settings.hasWorker ? undefined : 'WORKER=off: nothing runs tasks'

/** Why every client is let in; undefined when none is without credentials. */
export const noCredentialsNeeded =
  service.findOperation('POST', '/payload')?.security === undefined
    ? 'the service requires no credentials'
    : undefined

/** The status of an invalid body: VALIDATION_STATUS may be 422. */
export const invalidStatus =
  service.findOperation('POST', '/payload')?.responses['422'] === undefined ? 400 : 422

const { numbers, text } = service.document.components.schemas.Payload?.properties ?? {}

/** The limits of a payload, as the service names them. */
export const maxNumbers = numbers?.maxItems ?? Number.POSITIVE_INFINITY
export const maxCharacters = text?.maxLength ?? Number.POSITIVE_INFINITY
