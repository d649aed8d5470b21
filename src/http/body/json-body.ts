import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { parseJson } from '../../analysis/parse/parse-json.ts'
import type { Env } from '../env.ts'
import { isJsonInUtf8 } from '../headers/media-type.ts'
import { inputProblem, type Problem, ProblemError } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'

/** Answers requests whose body is large or of unknown size. */
export interface LargeBodyHandler {
  /** Bodies above this many bytes are large. */
  readonly threshold: number
  handle(c: Context<Env>): Promise<Response>
}

export interface JsonBodyOptions {
  /** Larger bodies are refused. */
  readonly maxBytes: number
  /** Default: large bodies are read like small ones. */
  readonly large?: LargeBodyHandler
}

/**
 * Reads a JSON body strictly: media type, size, UTF-8 without replacement characters, bounded nesting, JSON. Of duplicate
 * keys the last one wins, as with JSON.parse.
 *
 * It passes the value to `zValidator('json', …)`, which calls `c.req.json()`, and the text to `c.req.text()`. Hono alone
 * would decode invalid bytes silently, read any size, and not report where the JSON is malformed.
 */
export const jsonBody = ({ maxBytes, large }: JsonBodyOptions) =>
  createMiddleware<Env>(async function jsonBody(c, next) {
    const request = c.req.raw
    // Written so that NaN, a body without a length, is large until it has been counted.
    if (large !== undefined && !(contentLength(request) <= large.threshold)) return large.handle(c)
    const parsed = parseJson(await readBody(request, c.get('request'), maxBytes))
    if (!parsed.ok) throw new ProblemError(inputProblem(parsed.error))
    const { value, text } = parsed
    c.req.json = <T>() => Promise.resolve(value as T)
    c.req.text = () => Promise.resolve(text)
    return next()
  })

/**
 * Reads a body of JSON, whose media type and size must be right.
 *
 * @param context of the request, which records the size of the body for the log
 * @throws ProblemError when they are not, or when the body does not arrive
 */
export async function readBody(
  request: Request,
  context: RequestContext,
  maxBytes: number,
): Promise<Uint8Array> {
  const length = contentLength(request)
  const problem = checkBodyHeaders(request, length, maxBytes)
  if (problem !== undefined) throw new ProblemError(problem)
  let bytes: Uint8Array | undefined
  context.beginBody(length)
  try {
    bytes = length <= maxBytes ? await request.bytes() : await readChunks(request, context, maxBytes)
  } catch {
    throw new ProblemError(incompleteBody)
  } finally {
    context.endBody()
  }
  if (bytes === undefined) throw new ProblemError(bodyTooLarge(maxBytes))
  if (isChunked(request)) await assertUnanswered(request)
  if (context.logsBytes) context.requestBytes = bytes.byteLength
  return bytes
}

/** The announced size of a body in bytes; NaN when there is none, or two. */
export function contentLength({ headers }: Request): number {
  // A repeated header reads "5, 5", which is not a number: such a body is counted like one without a length.
  return Number(headers.get('content-length') ?? Number.NaN)
}

/** Whether the body is chunked, and may have trailers. */
export function isChunked({ headers }: Request): boolean {
  return headers.has('transfer-encoding')
}

/**
 * Call it between reading a body and acting on it. Bun answers 400 to a chunked body with trailers as soon as it has read
 * them, possibly after the body and before the handler is done. The handler must then change nothing, because the client
 * has already received an error.
 *
 * @throws ProblemError when the request has been answered, or its connection has ended; the problem is not sent
 */
export async function assertUnanswered(request: Request): Promise<void> {
  if (!isChunked(request)) return
  // Bun parses bytes that arrived together with the body in this turn of the event loop.
  await new Promise<void>((resolve) => setImmediate(resolve))
  if (request.signal.aborted) throw new ProblemError(incompleteBody)
}

/** Checks the headers of a body: its media type, its coding and its size. */
export function checkBodyHeaders(request: Request, length: number, maxBytes: number): Problem | undefined {
  return checkContentType(request) ?? (length > maxBytes ? bodyTooLarge(maxBytes) : undefined)
}

export function checkContentType({ headers }: Request): Problem | undefined {
  const type = headers.get('content-type')
  if (type === null || !isJsonInUtf8(type))
    return { code: 'unsupported-media-type', detail: 'Content-Type must be application/json, in UTF-8.' }
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity')
    return { code: 'unsupported-media-type', detail: 'Content-Encoding is not supported for request bodies.' }
  return undefined
}

export function bodyTooLarge(maxBytes: number): Problem {
  return { code: 'body-too-large', detail: `The body must not exceed ${maxBytes} bytes.` }
}

export const incompleteBody: Problem = {
  code: 'incomplete-body',
  detail: 'The connection ended before the body was complete.',
}

/**
 * Reads a body without a length and counts it while it arrives. A body that turns out too large is read to its end, but not
 * kept: a client that is still sending would see a broken connection instead of the 413.
 *
 * @returns undefined when the body is too large
 */
async function readChunks(
  request: Request,
  context: RequestContext,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  context.receivedBytes = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    context.receivedBytes = size
    if (size <= maxBytes) chunks.push(chunk)
    else chunks.length = 0
  }
  return size > maxBytes ? undefined : Buffer.concat(chunks)
}
