import type { Tracing } from '../tracing/tracing.ts'
import type { Exchange } from './exchange.ts'
import type { Route } from './route.ts'

/**
 * The same route, each request of it a span, under the one that its `traceparent` names. The names are those of
 * OpenTelemetry's semantic conventions for HTTP servers.
 */
export function tracedRoute(route: Route, tracing: Tracing): Route {
  const trace = (
    request: Request,
    exchange: Exchange,
    handle: () => Response | Promise<Response>,
  ): Response | Promise<Response> => {
    const traceparent = request.headers.get('traceparent')
    const span = tracing.start(`${exchange.method} ${route.path}`, {
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
    return tracing.under(span, handle)
  }
  if ('answer' in route) {
    const { answer } = route
    return {
      ...route,
      answer: (request, exchange) => trace(request, exchange, () => answer(request, exchange)),
    }
  }
  const { handler } = route
  return {
    ...route,
    handler: (c, next) => trace(c.req.raw, c.env, () => handler(c, next)),
  }
}
