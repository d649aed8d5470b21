import type { Context, TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Env } from './env.ts'
import type { RequestContext } from './request-context.ts'

type HeaderRecord = Readonly<Record<string, string>>
/** A response whose JSON body the typed client knows. */
export type JsonResponse<Body, Status extends ContentfulStatusCode = 200> = Response &
  TypedResponse<Body, Status, 'json'>

/** Answers 200 with small JSON. */
export function respondJson<const Body extends object>(
  context: RequestContext,
  body: Body,
): JsonResponse<Body> {
  if (context.headers !== undefined)
    return respondText(context, JSON.stringify(body), 'application/json') as JsonResponse<Body>
  context.hasCommonHeaders = true
  return Response.json(body, context.commonHeaders.forJson(context.requestId)) as JsonResponse<Body>
}

/** Above this many characters a response is streamed: a large one would be copied whole for every slow reader. */
const streamThreshold = 256 * 1024

/**
 * Answers JSON that is already text, in parts. Generic in what the text holds, which the typed client relies on.
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
  if (length <= streamThreshold)
    return respondText(context, parts.join(''), 'application/json', status, headers) as JsonResponse<
      Body,
      Status
    >
  context.responseSize = length
  const encoder = new TextEncoder()
  const rest = parts.values()
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { value, done } = rest.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
  })
  return new Response(body, {
    status: status ?? 200,
    headers: mergeHeaders(context, 'application/json', headers),
  }) as JsonResponse<Body, Status>
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
  return new Response(body, { status, headers: mergeHeaders(context, contentType, headers) })
}

function mergeHeaders(context: RequestContext, contentType: string, headers?: HeaderRecord): HeaderRecord {
  context.hasCommonHeaders = true
  return {
    ...context.commonHeaders.forText(contentType, context.requestId),
    ...context.headers,
    ...headers,
  }
}
