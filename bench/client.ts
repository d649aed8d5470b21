import { type RawResponse, ResponseReader } from './response-reader.ts'

/** The results of a closed loop. */
export interface Traffic {
  /** From the first request to the last response. */
  readonly seconds: number
  /** For every request, from its first byte written to the last byte of its response, in ms. */
  readonly latenciesMs: readonly number[]
}

export interface Client {
  /**
   * Keeps requests in flight for the duration, then waits for the last responses, so that the server's work in this
   * time belongs to complete requests. With 0 ms, sends each request once.
   *
   * @param check runs for every response; throws if it is wrong.
   * @param responseTimeoutMs time limit for the last responses after the loop; default 10 s
   * @throws the error of `check`; ResponseTimeout for a missing response; Error for a broken connection.
   */
  run(
    durationMs: number,
    check: (response: RawResponse) => void,
    responseTimeoutMs?: number,
  ): Promise<Traffic>
  close(): void
}

/** A server stopped responding with requests in flight. */
export class ResponseTimeout extends Error {
  constructor(inFlight: number, afterMs: number) {
    super(`no response to ${inFlight} requests within ${afterMs} ms`)
  }
}

/** Connections to open at once: fewer than the accept queue of any server (128 in some). */
const openedAtOnce = 100

/**
 * Opens keep-alive connections to a server on this machine. All of them send the same bytes.
 *
 * It uses raw sockets because the load generator has one core: the runtime's HTTP client costs more per request than
 * the measured servers and would become the bottleneck.
 *
 * @param inFlight requests in flight at a time; with fewer than connections, these take turns. Default: one each.
 */
export async function connect(
  port: number,
  request: Uint8Array,
  connections: number,
  inFlight = connections,
): Promise<Client> {
  const open: Connection[] = []
  while (open.length < connections) {
    const more = Math.min(connections - open.length, openedAtOnce)
    open.push(...(await Promise.all(Array.from({ length: more }, () => Connection.open(port, request)))))
  }
  return {
    run: (durationMs, check, responseTimeoutMs = 10_000) =>
      closedLoop(open, Math.min(inFlight, connections), durationMs, check, responseTimeoutMs),
    close() {
      for (const connection of open) connection.close()
    },
  }
}

async function closedLoop(
  connections: readonly Connection[],
  atATime: number,
  durationMs: number,
  check: (response: RawResponse) => void,
  responseTimeoutMs: number,
): Promise<Traffic> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const timer = setTimeout(
    () => reject(new ResponseTimeout(inFlight, responseTimeoutMs)),
    durationMs + responseTimeoutMs,
  )
  const latenciesMs: number[] = []
  let inFlight = atATime
  // A ring: after each response, the connection that has been silent for the longest time sends next.
  const silent = connections.slice(atATime)
  let turn = 0
  const start = performance.now()
  const end = start + durationMs
  const sendNext = (current: Connection): void => {
    const next = silent[turn] ?? current
    if (next !== current) {
      silent[turn] = current
      turn = (turn + 1) % silent.length
    }
    next.send()
  }
  for (const connection of connections) {
    connection.onFault = reject
    connection.onResponse = (response, sentAt) => {
      check(response)
      const now = performance.now()
      latenciesMs.push(now - sentAt)
      if (now < end) sendNext(connection)
      else if (--inFlight === 0) resolve(now)
    }
  }
  for (const connection of connections.slice(0, atATime)) connection.send()
  try {
    return { seconds: ((await promise) - start) / 1_000, latenciesMs }
  } finally {
    clearTimeout(timer)
  }
}

/** One keep-alive connection with at most one request in flight. */
class Connection {
  onResponse: (response: RawResponse, sentAt: number) => void = () => {}
  onFault: (error: Error) => void = () => {}
  readonly #reader = new ResponseReader()
  #sentAt = 0
  #unsent: Uint8Array = new Uint8Array()

  private constructor(
    private readonly socket: Bun.Socket,
    private readonly request: Uint8Array,
  ) {}

  static async open(port: number, request: Uint8Array): Promise<Connection> {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => connection.#receive(chunk),
        drain: () => connection.#write(),
        close: () => connection.onFault(new Error('the server closed the connection')),
        error: (_, error) => connection.onFault(error),
      },
    })
    const connection = new Connection(socket, request)
    return connection
  }

  send(): void {
    this.#sentAt = performance.now()
    this.#unsent = this.request
    this.#write()
  }

  close(): void {
    this.onFault = () => {}
    this.socket.end()
  }

  /** A large body takes more than one write: the rest waits for 'drain'. */
  #write(): void {
    if (this.#unsent.length === 0) return
    // -1 means that the connection is closed; the close event follows.
    const written = Math.max(0, this.socket.write(this.#unsent))
    this.#unsent = this.#unsent.subarray(written)
  }

  #receive(chunk: Buffer): void {
    try {
      const response = this.#reader.push(chunk)
      if (response !== undefined) this.onResponse(response, this.#sentAt)
    } catch (error) {
      this.onFault(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
