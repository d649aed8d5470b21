import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { z } from 'zod'
import type { Env } from '../env.ts'
import { pageHeaders } from '../middleware/security-headers.ts'
import { ProblemError } from '../problem.ts'
import { respondText } from '../respond.ts'

/** The longest delay or stream, in seconds. */
const maxSeconds = 600
const maxBytes = 2 ** 30

/** Request headers that are not shown. */
const secretHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'x-api-key',
])

/** A path parameter that is a number within bounds; anything else is 404. */
function numberParam(name: string, min: number, max: number, pattern: RegExp) {
  const value = z.string().regex(pattern).transform(Number).pipe(z.number().min(min).max(max))
  return zValidator('param', z.object({ [name]: value }), ({ success }) => {
    if (!success)
      throw new ProblemError({ code: 'not-found', detail: `${name} must be between ${min} and ${max}.` })
  })
}

/**
 * Routes for testing a platform: slow, streaming, failing and crashing requests on demand. Off by default
 * (`DEBUG_ROUTES`), and not in the OpenAPI document.
 */
export function debugRoutes() {
  const seconds = numberParam('seconds', 0, maxSeconds, /^\d+(\.\d+)?$/)
  return new Hono<Env>()
    .use('/debug/*', pageHeaders())
    .get('/debug/delay/:seconds', seconds, async (c) => {
      const delayed = Number(c.req.param('seconds'))
      await Bun.sleep(delayed * 1_000)
      return c.json({ delayed, method: c.req.method })
    })
    .get('/debug/status/:code', numberParam('code', 200, 599, /^\d+$/), (c) => {
      const status = Number(c.req.param('code'))
      return respondText(c.get('request'), JSON.stringify({ status }), 'application/json', status)
    })
    .get('/debug/stream/:seconds', seconds, (c) =>
      c.body(ticks(Number(c.req.param('seconds'))), 200, { 'content-type': 'text/plain' }),
    )
    .get('/debug/bytes/:count', numberParam('count', 0, maxBytes, /^\d+$/), (c) => {
      const count = c.req.param('count')
      return c.body(zeros(Number(count)), 200, {
        'content-type': 'application/octet-stream',
        'content-length': count,
      })
    })
    .get('/debug/crash', (c) => {
      setTimeout(() => {
        throw new Error('crashed on demand')
      }, 0)
      return c.text('crashing\n', 202)
    })
    .get('/debug/headers', (c) => {
      const headers = Object.entries(c.req.header())
      return c.json(
        Object.fromEntries(
          headers.map(([name, value]) => [name, secretHeaders.has(name) ? '(hidden)' : value]),
        ),
      )
    })
}

/** Ten lines a second. */
function ticks(seconds: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let tick = 0
  return new ReadableStream({
    async pull(controller) {
      if (tick >= seconds * 10) return controller.close()
      await Bun.sleep(100)
      controller.enqueue(encoder.encode(`tick ${tick++}\n`))
    },
  })
}

/** Bytes made as the client reads: a large Response would be copied for each connection. */
function zeros(count: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(64 * 1024)
  let rest = count
  return new ReadableStream({
    pull(controller) {
      if (rest === 0) return controller.close()
      const part = chunk.subarray(0, Math.min(chunk.length, rest))
      rest -= part.length
      controller.enqueue(part)
    },
  })
}
