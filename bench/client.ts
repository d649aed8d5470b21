import { type Answer, ResponseReader } from './response-reader.ts'

/** What a closed loop saw. */
export interface Traffic {
  /** From the first request to the last answer. */
  readonly seconds: number
  /** Of every request, from its first byte written to the last byte of its answer, in ms. */
  readonly latenciesMs: readonly number[]
}

export interface Client {
  /**
   * Keeps one request under way on every connection for so long, then waits for the last answers, so that
   * what the server did meanwhile belongs to complete requests alone. With 0 ms each connection sends once.
   *
   * @param check throws for an answer that is wrong; called with every one.
   * @throws what `check` throws; Error for a broken connection or an answer that does not come.
   */
  run(durationMs: number, check: (answer: Answer) => void): Promise<Traffic>
  close(): void
}

/** How long the last answers may take after the end of a loop, in ms. */
const answerTimeoutMs = 10_000

/**
 * Opens kept-alive connections to a server on this machine, all of which send the same bytes.
 *
 * It stands on bare sockets because the load has one core: an HTTP client of the runtime costs more a
 * request than the servers that are measured, and would itself become what is measured.
 */
export async function connect(port: number, request: Uint8Array, connections: number): Promise<Client> {
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(port, request)))
  return {
    run: (durationMs, check) => closedLoop(open, durationMs, check),
    close() {
      for (const connection of open) connection.close()
    },
  }
}

async function closedLoop(
  connections: readonly Connection[],
  durationMs: number,
  check: (answer: Answer) => void,
): Promise<Traffic> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const timer = setTimeout(
    () => reject(new Error(`${underWay} requests without an answer after ${answerTimeoutMs} ms`)),
    durationMs + answerTimeoutMs,
  )
  const latenciesMs: number[] = []
  let underWay = connections.length
  const start = performance.now()
  const end = start + durationMs
  for (const connection of connections) {
    connection.onFault = reject
    connection.onAnswer = (answer, sentAt) => {
      check(answer)
      const now = performance.now()
      latenciesMs.push(now - sentAt)
      if (now < end) connection.send()
      else if (--underWay === 0) resolve(now)
    }
    connection.send()
  }
  try {
    return { seconds: ((await promise) - start) / 1_000, latenciesMs }
  } finally {
    clearTimeout(timer)
  }
}

/** One kept-alive connection with at most one request under way. */
class Connection {
  onAnswer: (answer: Answer, sentAt: number) => void = () => {}
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

  /** A large body takes more than one write: the rest waits until the socket has room again. */
  #write(): void {
    if (this.#unsent.length === 0) return
    // -1 says that the connection is gone; the close event follows.
    const written = Math.max(0, this.socket.write(this.#unsent))
    this.#unsent = this.#unsent.subarray(written)
  }

  #receive(chunk: Buffer): void {
    try {
      const answer = this.#reader.push(chunk)
      if (answer !== undefined) this.onAnswer(answer, this.#sentAt)
    } catch (error) {
      this.onFault(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
