import type { Tracing } from '../../telemetry/tracing/tracing.ts'
import { around, type Route } from '../route.ts'

/**
 * The same route, each request of it a span, under the one that its `traceparent` names. The names are those of
 * OpenTelemetry's semantic conventions for HTTP servers.
 */
export function tracedRoute(route: Route, tracing: Tracing): Route {
  return around(route, (request, exchange, handle) => {
    const traceparent = request.headers.get('traceparent')
    const span = tracing.startSpan(`${exchange.method} ${route.path}`, {
      kind: 'server',
      parent:
        traceparent === null
          ? undefined
          : { traceparent, tracestate: request.headers.get('tracestate') ?? undefined },
      attributes: {
        'http.request.method': exchange.method,
        'http.route': route.path,
        'tally.request.id': exchange.requestId,
      },
    })
    exchange.trace = {
      ids: span.ids,
      answered(status) {
        span.set({ 'http.response.status_code': status })
        if (status >= 500) span.fail()
        span.end()
      },
    }
    return tracing.withSpan(span, handle)
  })
}
