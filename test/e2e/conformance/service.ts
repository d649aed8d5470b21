import { expect } from 'bun:test'
import { type OpenApiDocument, readServiceDocument } from './service-document.ts'
import { readConformanceSettings } from './settings.ts'

/**
 * Timeout of a request in ms, including the wait for a rate limit. Far longer than any response takes: it ends a
 * hanging test and does not measure speed.
 */
const deadlineMs = 30_000

export const settings = readConformanceSettings(process.env)

/** A unique name, because the service may be in use and another suite may run beside this one. */
export const uniqueName = (): string => `conformance-${crypto.randomUUID()}`

/** A complete response. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body. @throws Error if it is not JSON */
  json<T = unknown>(): T
}

export interface Ask {
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent unchanged, as `application/json` unless the headers specify a type. */
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream
  readonly headers?: Readonly<Record<string, string>>
  /** Whether to send the credentials of the settings. Default: true. */
  readonly credentials?: boolean
}

/**
 * Sends one request to the service, waits for the whole response, and checks it against the service's OpenAPI document.
 *
 * @param path below BASE_URL, or a URL
 * @throws Error without a complete response before the timeout
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

/** The options of every request, including TLS. */
export function fetchOptions(signal: AbortSignal): BunFetchRequestInit {
  return {
    signal,
    redirect: 'manual',
    ...(settings.insecure && { tls: { rejectUnauthorized: false } }),
  }
}

/** The headers with the client's credentials. */
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
        // The length of a compressed response is not that of its text.
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

/** Whether the service only rejected the request for now, before processing it. */
function isToRepeat(status: number, text: string): boolean {
  return (status === 429 || status === 503) && /"code":"(?:rate-limited|overloaded)"/.test(text)
}

/** Waits as long as Retry-After requires. @throws Error at the timeout */
export function waitFor(ms: number, deadline: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  deadline.addEventListener('abort', () => {
    clearTimeout(timer)
    reject(deadline.reason)
  })
  return promise
}

/** The URL of a path, or of a `Location` or `Link` of the service. */
export function urlOf(path: string): string {
  if (URL.canParse(path)) return path
  return settings.baseUrl + path
}

/** The URL of a reference in a response: an absolute path that includes the base path. */
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

/** The service's OpenAPI document. */
export const service = readServiceDocument(described.json<OpenApiDocument>())

/** Why the metrics are unavailable; undefined if they are available. */
export const noMetrics =
  settings.metricsUrl === undefined && service.findOperation('GET', '/metrics') === undefined
    ? 'no metrics at this address; METRICS_URL names them'
    : undefined

/** Why no task is expected to complete; undefined if tasks complete. */
export const noWorker = settings.hasWorker ? undefined : 'WORKER=off: nothing runs tasks'

/** Why the service requires no credentials; undefined if it does. */
export const noCredentialsNeeded =
  service.findOperation('POST', '/payload')?.security === undefined
    ? 'the service requires no credentials'
    : undefined

/** The status of an invalid body; VALIDATION_STATUS may be 422. */
export const invalidStatus =
  service.findOperation('POST', '/payload')?.responses['422'] === undefined ? 400 : 422

const { numbers, text } = service.document.components.schemas.Payload?.properties ?? {}

/** The payload limits that the service states. */
export const maxNumbers = numbers?.maxItems ?? Number.POSITIVE_INFINITY
export const maxCharacters = text?.maxLength ?? Number.POSITIVE_INFINITY
