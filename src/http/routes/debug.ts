import type { Problems } from '../problem.ts'
import { type Exchange, json, text } from '../request-context.ts'
import type { Route } from '../route.ts'

/** The longest delay or stream, in seconds. */
const secondsMax = 600

/**
 * Endpoints to try a platform with: slow, streaming, failing and crashing requests on demand. Never on by
 * default (`DEBUG_ROUTES`), and not in the API document.
 */
export function diagnosticsRoutes(problems: Problems): Route[] {
  const refuse = (exchange: Exchange, detail: string): Response =>
    problems.answer(exchange, { code: 'not-found', detail })

  return [
    debug('/debug/delay/:seconds', async (request, exchange, seconds) => {
      if (!within(seconds, 0, secondsMax)) return refuse(exchange, `seconds must be 0 to ${secondsMax}.`)
      await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000))
      return json(exchange, { delayed: Number(seconds), method: request.method })
    }),
    debug('/debug/status/:code', (_request, exchange, code) => {
      if (!wholeWithin(code, 200, 599)) return refuse(exchange, 'code must be 200 to 599.')
      return json(exchange, { status: Number(code) }, Number(code))
    }),
    debug('/debug/stream/:seconds', (_request, exchange, seconds) => {
      if (!within(seconds, 0, secondsMax)) return refuse(exchange, `seconds must be 0 to ${secondsMax}.`)
      return new Response(ticks(Number(seconds)), { headers: { 'content-type': 'text/plain' } })
    }),
    debug('/debug/bytes/:count', (_request, exchange, count) => {
      if (!wholeWithin(count, 0, 2 ** 30)) return refuse(exchange, 'count must be 0 to 1073741824.')
      return new Response(zeros(Number(count)), {
        headers: { 'content-type': 'application/octet-stream', 'content-length': count },
      })
    }),
    debug('/debug/crash', (_request, exchange) => {
      setTimeout(() => {
        throw new Error('crashed on demand')
      }, 0)
      return text(exchange, 'crashing\n', 'text/plain', 202)
    }),
    debug('/debug/headers', (request, exchange) => {
      const secret = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key'])
      const headers = [...request.headers].map(([key, value]) => [key, secret.has(key) ? '(hidden)' : value])
      return json(exchange, Object.fromEntries(headers))
    }),
  ]
}

function debug(
  path: string,
  handle: (request: Request, exchange: Exchange, param: string) => Response | Promise<Response>,
): Route {
  return {
    method: 'GET',
    path,
    kind: 'page',
    handler: (c) => handle(c.req.raw, c.env, Object.values(c.req.param())[0] ?? ''),
  }
}

function within(value: string, minimum: number, maximum: number): boolean {
  return /^\d+(\.\d+)?$/.test(value) && Number(value) >= minimum && Number(value) <= maximum
}

function wholeWithin(value: string, minimum: number, maximum: number): boolean {
  return within(value, minimum, maximum) && Number.isInteger(Number(value))
}

/** A line every 100 ms. */
async function* ticks(seconds: number): AsyncGenerator<string> {
  for (let i = 0; i < seconds * 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    yield `tick ${i}\n`
  }
}

/** So many bytes, made as the client reads: a large Response is otherwise copied per connection. */
function zeros(count: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(64 * 1024)
  let left = count
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close()
      const part = chunk.subarray(0, Math.min(chunk.length, left))
      left -= part.length
      controller.enqueue(part)
    },
  })
}
