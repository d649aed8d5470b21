import type { Env } from './env.ts'
import type { PayloadFastPath } from './payload-fast-path.ts'

/** What `createFetch` needs of a Hono app. */
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
  return (request, server, isLiteral) => {
    const { method } = request
    let { url } = request
    const fast = method === 'POST' ? fastPath?.(request, url) : undefined
    if (fast !== undefined) return fast
    const env = { server, isLiteral: server === undefined || isLiteral === true }
    // Without a Host, Bun's URL is the path alone. Health checks over HTTP/1.0 have none.
    if (hostlessPaths?.has(url) && !request.headers.has('host')) url = `http://localhost${url}`
    // Bun drops the body of a response to HEAD and keeps its length. Hono would drop both, so it sees a GET.
    if (method === 'HEAD') {
      // A relative URL, which Bun makes of a malformed Host, is no URL for a request of ours; `checkHost` refuses it.
      const get = new Request(url.startsWith('http') ? url : 'http://invalid/', { headers: request.headers })
      return app.fetch(get, { ...env, url, headRequest: request })
    }
    return app.fetch(request, { ...env, url })
  }
}
