import { closeAfter } from '../lifecycle/index.ts'
import { isChunked } from './body/json-body.ts'
import type { Env } from './env.ts'
import type { PayloadFastPath } from './payload-fast-path.ts'

/** The part of a Hono app that `createFetch` needs. */
interface App {
  readonly fetch: (request: Request, env: Env['Bindings']) => Response | Promise<Response>
}

/** @param isLiteral whether the target was one of the app's `literalPaths`, which only the server can see */
export type FetchHandler = (
  request: Request,
  server?: Bun.Server<undefined>,
  isLiteral?: boolean,
) => Response | Promise<Response>

export interface FetchOptions {
  readonly fastPath?: PayloadFastPath | undefined
  /** Paths that are answered without a Host. */
  readonly hostlessPaths?: ReadonlySet<string>
}

/** The function that `Bun.serve` calls: the fast path when it takes the request, else the Hono app. */
export function createFetch(app: App, { fastPath, hostlessPaths }: FetchOptions = {}): FetchHandler {
  const fetchFromApp = (
    request: Request,
    sentUrl: string,
    server: Bun.Server<undefined> | undefined,
    isLiteral: boolean | undefined,
  ) => {
    let url = sentUrl
    const env = { server, isLiteral: server === undefined || isLiteral === true }
    // Without a Host, Bun's URL is the path alone. Health checks over HTTP/1.0 have none.
    if (hostlessPaths?.has(url) && !request.headers.has('host')) url = `http://localhost${url}`
    // Bun drops the body of a response to HEAD and keeps its length. Hono would drop both, so it sees a GET.
    if (request.method === 'HEAD') {
      // Bun makes a relative URL of a malformed Host; `checkHost` refuses such requests.
      const get = new Request(url.startsWith('http') ? url : 'http://invalid/', { headers: request.headers })
      return app.fetch(get, { ...env, url, headRequest: request })
    }
    return app.fetch(request, { ...env, url })
  }
  return (request, server, isLiteral) => {
    const { method, url } = request
    const fast = method === 'POST' ? fastPath?.(request, url) : undefined
    // It takes no chunked request.
    if (fast !== undefined) return fast
    const response = fetchFromApp(request, url, server, isLiteral)
    // Bun takes the trailers of a chunked body for another request and answers that with 400. On a connection that a proxy
    // shares among its clients, any of them would get the 400.
    return isChunked(request) ? closeAfter(response) : response
  }
}
