/**
 * A request handler, as `Bun.serve` calls it.
 *
 * @param isLiteral true when the target of the request is one of `literalPaths`, character by character, apart from a query.
 *   `request.url` does not show that: in it, dot segments and backslashes are resolved.
 */
export type FetchHandler = (
  request: Request,
  server: Bun.Server<undefined>,
  isLiteral?: boolean,
) => Response | Promise<Response>

/** The options by which `Bun.serve` informs a handler that the target of a request is one of `paths`. */
export function handleLiterally(handler: FetchHandler, paths: readonly string[]) {
  const literal = (request: Request, server: Bun.Server<undefined>) => handler(request, server, true)
  return { fetch: handler, routes: Object.fromEntries(paths.map((path) => [path, literal])) }
}

/**
 * Wraps a handler: where the client asked to end the connection (RFC 9112 §9.6), the response says that it ends. Bun ends
 * it without saying so. A client that goes by the response, such as Go's when a program sets the header itself, would send
 * its next request on a connection that is being closed, and lose it.
 */
export function withRequestedClose(fetch: FetchHandler): FetchHandler {
  return (request, server, isLiteral) => {
    const response = fetch(request, server, isLiteral)
    const options = request.headers.get('connection')
    return options !== null && closeOption.test(options) ? closeAfter(response) : response
  }
}

const closeOption = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i

/** Wraps a handler: every response closes its connection. */
export function withConnectionClose(fetch: FetchHandler): FetchHandler {
  return (request, server, isLiteral) => closeAfter(fetch(request, server, isLiteral))
}

/** Ends the connection after a response. @returns the response */
export function closeAfter(response: Response | Promise<Response>): Response | Promise<Response> {
  if (response instanceof Promise) return response.then(closeAfter)
  response.headers.set('connection', 'close')
  return response
}
