import { createMiddleware } from 'hono/factory'
import type { Tracing } from '../../telemetry/tracing/tracing.ts'
import type { Env } from '../env.ts'

/**
 * A span for each request, under the one that its `traceparent` names. Attribute names are those of OpenTelemetry's
 * semantic conventions for HTTP servers.
 */
export const traceRequests = (tracing: Tracing) =>
  createMiddleware<Env>(async function traceRequests(c, next) {
    const context = c.get('request')
    const { method, route, requestId } = context
    const traceparent = c.req.header('traceparent')
    const span = tracing.startSpan(`${method} ${route}`, {
      kind: 'server',
      parent: traceparent === undefined ? undefined : { traceparent, tracestate: c.req.header('tracestate') },
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'tally.request.id': requestId,
      },
    })
    context.trace = {
      ids: span.ids,
      end(status) {
        span.set({ 'http.response.status_code': status })
        if (status >= 500) span.fail()
        span.end()
      },
    }
    await tracing.withSpan(span, next)
  })
