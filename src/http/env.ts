import type { RequestContext } from './request-context.ts'

/** The types of Hono's context in this service. */
export type Env = {
  /** Absent in tests that call the app directly. */
  Bindings: {
    /** False when the target of a request through a server was none of the app's `literalPaths`. */
    readonly isLiteral?: boolean
    /** The server that accepted the request: what `getConnInfo` of `hono/bun` reads. */
    readonly server?: Bun.Server<undefined> | undefined
    /** The URL of the request: reading it from Bun's request again is expensive. */
    readonly url?: string
    /** The HEAD request that this GET answers; see `fetch.ts`. */
    readonly headRequest?: Request
  }
  Variables: {
    readonly request: RequestContext
  }
}
