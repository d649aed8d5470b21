import type { RequestContext } from './request-context.ts'

/** The types of Hono's context in this service. */
export type Env = {
  Bindings: {
    /** The server that accepted the request; absent in tests that call the app directly. */
    readonly server?: Bun.Server<undefined> | undefined
    /** The HEAD request that this GET answers; see `fetch.ts`. */
    readonly headRequest?: Request
  }
  Variables: {
    readonly request: RequestContext
  }
}
