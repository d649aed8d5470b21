import { examplePayload } from './example-payload.ts'
import {
  type ConnectionOptions,
  get,
  HttpConnection,
  jsonHead,
  postJson,
  type WireResponse,
} from './http-connection.ts'

/** The outcomes of the requests of a run, each counted once. */
export interface Fates {
  /** Complete and correct responses. */
  answered: number
  /** Of these, responses to requests sent after the shutdown began. */
  answeredWhileDraining: number
  /** Connections refused before anything was sent. */
  refused: number
  /** Connections that ended before the request was sent completely. */
  cutWhileSending: number
  /** Requests sent completely without a complete and correct response, each with what happened instead. */
  readonly lost: string[]
}

/** One kind of request. Every client obeys `Connection: close`, as RFC 9112 (9.6) requires. */
export interface ClientKind {
  readonly name: string
  readonly clients: number
  /** Whether the client reuses a connection. */
  readonly reuse: boolean
  readonly connection?: ConnectionOptions
  readonly pauseMs: () => number
  readonly path: string
  /** Sends one request; resolves when it is sent, or to false if the connection ended before. */
  readonly send: (connection: HttpConnection) => Promise<boolean>
  readonly isRight: (response: WireResponse) => boolean
}

const small = postJson('/payload', JSON.stringify(examplePayload))
const largeBytes = 8 * 2 ** 20
const slowBody = JSON.stringify({ numbers: [1, 2, 3], text: 'sentence. '.repeat(6_500) })

const smallRequest = {
  path: '/payload',
  send: async (connection: HttpConnection) => {
    connection.send(small)
    return true
  },
  isRight: ({ body }: WireResponse) =>
    body.includes('"mean":3,"median":3,"standard_deviation":1.5811388300841898') &&
    body.includes('"character_count":24') &&
    body.endsWith('}'),
}

const largeRequest = {
  path: '/debug/bytes/:count',
  send: async (connection: HttpConnection) => {
    connection.send(get(`/debug/bytes/${largeBytes}`))
    return true
  },
  isRight: ({ bodyLength }: WireResponse) => bodyLength === largeBytes,
}

/** The six kinds of clients. The service needs `DEBUG_ROUTES=true` for those with large responses. */
export const clientKinds: readonly ClientKind[] = [
  {
    name: 'kept-alive connections',
    clients: 12,
    reuse: true,
    pauseMs: () => Math.random() * 4,
    ...smallRequest,
  },
  {
    name: 'a new connection for every request',
    clients: 12,
    reuse: false,
    pauseMs: () => Math.random() * 4,
    ...smallRequest,
  },
  {
    name: 'bodies of 64 KB over 140 ms',
    clients: 12,
    reuse: true,
    pauseMs: () => Math.random() * 20,
    path: '/payload',
    send: sendSlowly,
    isRight: ({ body }) => body.includes('"character_count":65000') && body.endsWith('}'),
  },
  {
    name: 'slow readers of 8 MB',
    clients: 3,
    reuse: true,
    connection: { countOnly: true, slowReader: { bytes: 512 * 1024, pauseMs: 15 } },
    pauseMs: () => Math.random() * 20,
    ...largeRequest,
  },
  {
    name: 'answers of 8 MB',
    clients: 3,
    reuse: true,
    connection: { countOnly: true },
    pauseMs: () => Math.random() * 20,
    ...largeRequest,
  },
  {
    name: 'many connections that mostly think',
    clients: 40,
    reuse: true,
    // Exponential with a mean of 300 ms; capped, because the window promises nothing beyond its own length.
    pauseMs: () => Math.min(900, -300 * Math.log(1 - Math.random())),
    ...smallRequest,
  },
]

async function sendSlowly(connection: HttpConnection): Promise<boolean> {
  const pieces = 8
  const size = Math.ceil(slowBody.length / pieces)
  connection.send(jsonHead('/payload', slowBody))
  for (let i = 0; i < pieces; i++) {
    await Bun.sleep(140 / pieces)
    if (connection.ended !== 'no') return false
    connection.send(slowBody.slice(i * size, (i + 1) * size))
  }
  return true
}

/**
 * The balancer between the clients and the instance: it polls /ready and, with a platform's delay, sends no new
 * connections to an instance that is not ready. Existing connections stay.
 */
export interface Balancer {
  readonly admits: boolean
  readonly draining: boolean
  /** Begins to poll; call it with the signal. */
  watch(): Promise<void>
}

const pollMs = 25
const propagationMs = 100

export function createBalancer(port: number): Balancer {
  const state = { admits: true, draining: false }
  return {
    get admits() {
      return state.admits
    },
    get draining() {
      return state.draining
    },
    async watch() {
      state.draining = true
      while (await isReady(port)) await Bun.sleep(pollMs)
      await Bun.sleep(propagationMs)
      state.admits = false
    },
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    using connection = await HttpConnection.open(port)
    connection.send(get('/ready'))
    return (await connection.next())?.status === 200
  } catch {
    return false
  }
}

/** Timeout of a response, in ms. After that the request is lost. */
const answerWithinMs = 10_000

/** Runs all clients of a kind until the balancer admits no more and their connections are closed. */
export async function runClients(
  kind: ClientKind,
  port: number,
  balancer: Balancer,
  fates: Fates,
): Promise<void> {
  await Promise.all(Array.from({ length: kind.clients }, () => runClient(kind, port, balancer, fates)))
}

async function runClient(kind: ClientKind, port: number, balancer: Balancer, fates: Fates): Promise<void> {
  let connection: HttpConnection | undefined
  for (;;) {
    await Bun.sleep(kind.pauseMs())
    if (connection === undefined || connection.ended !== 'no') {
      connection?.close()
      if (!balancer.admits) return
      try {
        connection = await HttpConnection.open(port, kind.connection)
      } catch {
        // A balancer sends its clients elsewhere after a refused connection.
        fates.refused++
        return
      }
    }
    const response = await exchange(kind, connection, balancer.draining, fates)
    const told = response?.headers.get('connection') === 'close'
    if (response === undefined || told || !kind.reuse) {
      connection.close()
      connection = undefined
    }
  }
}

async function exchange(
  kind: ClientKind,
  connection: HttpConnection,
  draining: boolean,
  fates: Fates,
): Promise<WireResponse | undefined> {
  if (!(await kind.send(connection))) {
    fates.cutWhileSending++
    return undefined
  }
  const giveUp = setTimeout(() => connection.close(), answerWithinMs)
  const response = await connection.next()
  clearTimeout(giveUp)
  if (response?.status === 200 && kind.isRight(response)) {
    fates.answered++
    if (draining) fates.answeredWhileDraining++
  } else {
    const instead =
      response === undefined ? `connection ended: ${connection.ended}` : `status ${response.status}`
    fates.lost.push(`${kind.name}: ${instead}`)
  }
  return response
}
