import type { Env } from './env.ts'
import type { PayloadFastPath } from './payload-fast-path.ts'

/** What `createFetch` needs of a Hono app. */
interface App {
  readonly fetch: (request: Request, env: Env['Bindings']) => Response | Promise<Response>
}

export type FetchHandler = (request: Request, server?: Bun.Server<undefined>) => Response | Promise<Response>

/** The function that `Bun.serve` calls: the fast path when it takes the request, else the Hono app. */
export function createFetch(app: App, fastPath?: PayloadFastPath): FetchHandler {
  return (request, server) => {
    const { method, url } = request
    // Bun drops the body of a response to HEAD and keeps its length. Hono would drop both, so it sees a GET.
    if (method === 'HEAD') {
      // A relative URL, which Bun makes of a malformed Host, is no URL for a request of ours; `checkHost` refuses it.
      const get = new Request(url.startsWith('http') ? url : 'http://invalid/', { headers: request.headers })
      return app.fetch(get, { server, url, headRequest: request })
    }
    const fast = method === 'POST' ? fastPath?.(request, url) : undefined
    return fast ?? app.fetch(request, { server, url })
  }
}
