import type { Context, TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Env } from './env.ts'
import { createLargeBody, type LargeBody, largeResponseThreshold } from './large-response.ts'
import type { RequestContext } from './request-context.ts'

type HeaderRecord = Readonly<Record<string, string>>
/** A response whose JSON body the typed client knows. */
export type JsonResponse<Body, Status extends ContentfulStatusCode = 200> = Response &
  TypedResponse<Body, Status, 'json'>

/** Answers 200 with small JSON of ASCII characters. */
export function respondJson<const Body extends object>(
  context: RequestContext,
  body: Body,
  headers?: HeaderRecord,
): JsonResponse<Body> {
  const text = JSON.stringify(body)
  if (context.logsBytes) context.responseBytes = text.length
  return new Response(text, settings(context, 200, 'application/json', headers)) as JsonResponse<Body>
}

/**
 * Answers JSON that is already text, in parts. Generic in the type of its value, which the typed client relies on.
 *
 * @param parts concatenated they are the JSON text
 */
export function respondJsonText<Body, Status extends ContentfulStatusCode = 200>(
  c: Context<Env>,
  parts: readonly string[],
  status?: Status,
  headers?: HeaderRecord,
): JsonResponse<Body, Status> {
  const context = c.get('request')
  const length = parts.reduce((total, part) => total + part.length, 0)
  const body =
    length <= largeResponseThreshold
      ? parts.join('')
      : createLargeBody(c, { heldBytes: length, texts: parts.values() })
  context.responseSize = length
  if (context.logsBytes)
    context.responseBytes = parts.reduce((total, part) => total + Buffer.byteLength(part), 0)
  return new Response(body, settings(context, status ?? 200, 'application/json', headers)) as JsonResponse<
    Body,
    Status
  >
}

/**
 * Answers 200 with JSON that is read from its source while the client reads it.
 *
 * @param length of the whole text in bytes, for the log
 */
export function respondJsonStream<Body>(
  c: Context<Env>,
  { length, ...body }: LargeBody & { readonly length: number },
  headers?: HeaderRecord,
): JsonResponse<Body> {
  const context = c.get('request')
  const stream = createLargeBody(c, body)
  context.responseSize = length
  if (context.logsBytes) context.responseBytes = length
  return new Response(stream, settings(context, 200, 'application/json', headers)) as JsonResponse<Body>
}

/** Answers text of any media type. */
export function respondText(
  context: RequestContext,
  body: string,
  contentType: string,
  status = 200,
  headers?: HeaderRecord,
): Response {
  context.responseSize = body.length
  if (context.logsBytes) context.responseBytes = Buffer.byteLength(body)
  return new Response(body, settings(context, status, contentType, headers))
}

/** The settings of a response: the common headers, those left by checks, and its own. */
function settings(
  context: RequestContext,
  status: number,
  contentType: string,
  headers?: HeaderRecord,
): Response {
  context.hasCommonHeaders = true
  const own = context.headers === undefined ? headers : { ...context.headers, ...headers }
  return context.commonHeaders.settings(context.requestId, status, contentType, own)
}
