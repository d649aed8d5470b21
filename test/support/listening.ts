import { type AppDeps, createApp } from '../../src/http/app.ts'
import { createLifecycle, serve } from '../../src/lifecycle/index.ts'
import { appDeps } from './app-deps.ts'

export interface Listening extends AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly app: ReturnType<typeof createApp>
  /** Requests in flight by the server's count. */
  inFlight(): number
}

/** The whole service on a free loopback port, until disposed. */
export function listen(changes: Partial<AppDeps> = {}, lines: string[] = []): Listening {
  const app = createApp(appDeps(changes, lines))
  // What a hostile client leaves half-sent must not delay the end of a test.
  const lifecycle = createLifecycle({ shutdownTimeoutMs: 0 })
  const server = serve(lifecycle, {
    port: 0,
    hostname: '127.0.0.1',
    fetch: app.fetch,
    literalPaths: app.literalPaths,
  })
  return {
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    app,
    inFlight: () => server.inFlight,
    async [Symbol.asyncDispose]() {
      await lifecycle.shutdown('test')
      app.requests.close()
    },
  }
}
