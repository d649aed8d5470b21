/** A server behind a balancer. The test sets its readiness and responses. */
export interface Backend {
  readonly port: number
  ready: boolean
  /** How many of the next probes fail although it is ready. */
  failingProbes: number
  /** Handles every request except probes. */
  answer: () => Response | Promise<Response>
  /** The headers of the requests that arrived, except probes. */
  readonly requests: Headers[]
  readonly probes: () => number
  stop(): void
}

/** Listens on a free loopback port, is ready, and responds 200 with its name. */
export function startBackend(name: string): Backend {
  let probes = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      if (new URL(request.url).pathname === '/ready') {
        probes++
        const fails = !backend.ready || backend.failingProbes > 0
        if (backend.failingProbes > 0) backend.failingProbes--
        return new Response('', { status: fails ? 503 : 200 })
      }
      // Copied, because the request's headers are gone after the response.
      backend.requests.push(new Headers(request.headers))
      return backend.answer()
    },
  })
  const backend: Backend = {
    port: server.port ?? 0,
    ready: true,
    failingProbes: 0,
    answer: () => new Response(name),
    requests: [],
    probes: () => probes,
    stop: () => void server.stop(true),
  }
  return backend
}

/** A ready server that reads a request and then closes the connection without a response, like a killed process. */
export function startBreakingBackend(): { port: number; requests: () => number; stop: () => void } {
  let requests = 0
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket, bytes) {
        if (bytes.toString('latin1').startsWith('GET /ready ')) {
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        } else {
          requests++
          socket.terminate()
        }
      },
    },
  })
  return { port: server.port, requests: () => requests, stop: () => server.stop(true) }
}
