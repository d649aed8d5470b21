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
   * Keeps requests under way for so long, then waits for the last answers, so that what the server did
   * meanwhile belongs to complete requests alone. With 0 ms each request under way is sent once.
   *
   * @param check throws for an answer that is wrong; called with every one.
   * @param answerTimeoutMs how long the last answers may take after the end of the loop; 10 s unless told
   * @throws what `check` throws; NoAnswer for one that does not come; Error for a broken connection.
   */
  run(durationMs: number, check: (answer: Answer) => void, answerTimeoutMs?: number): Promise<Traffic>
  close(): void
}

/** A server went silent with requests under way. */
export class NoAnswer extends Error {
  constructor(underWay: number, afterMs: number) {
    super(`${underWay} requests without an answer after ${afterMs} ms`)
  }
}

/** No more than a server's queue of connections to be accepted holds (128 in some of them). */
const openedAtOnce = 100

/**
 * Opens kept-alive connections to a server on this machine, all of which send the same bytes.
 *
 * It stands on bare sockets because the load has one core: an HTTP client of the runtime costs more a
 * request than the servers that are measured, and would itself become what is measured.
 *
 * @param underWay requests under way at a time; with fewer than connections, these take turns. Default: one each.
 */
export async function connect(
  port: number,
  request: Uint8Array,
  connections: number,
  underWay = connections,
): Promise<Client> {
  const open: Connection[] = []
  while (open.length < connections) {
    const more = Math.min(connections - open.length, openedAtOnce)
    open.push(...(await Promise.all(Array.from({ length: more }, () => Connection.open(port, request)))))
  }
  return {
    run: (durationMs, check, answerTimeoutMs = 10_000) =>
      closedLoop(open, Math.min(underWay, connections), durationMs, check, answerTimeoutMs),
    close() {
      for (const connection of open) connection.close()
    },
  }
}

async function closedLoop(
  connections: readonly Connection[],
  atATime: number,
  durationMs: number,
  check: (answer: Answer) => void,
  answerTimeoutMs: number,
): Promise<Traffic> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const timer = setTimeout(
    () => reject(new NoAnswer(underWay, answerTimeoutMs)),
    durationMs + answerTimeoutMs,
  )
  const latenciesMs: number[] = []
  let underWay = atATime
  // A ring: whoever is answered takes the place of the connection that has been silent for longest.
  const silent = connections.slice(atATime)
  let turn = 0
  const start = performance.now()
  const end = start + durationMs
  const sendNext = (answered: Connection): void => {
    const next = silent[turn] ?? answered
    if (next !== answered) {
      silent[turn] = answered
      turn = (turn + 1) % silent.length
    }
    next.send()
  }
  for (const connection of connections) {
    connection.onFault = reject
    connection.onAnswer = (answer, sentAt) => {
      check(answer)
      const now = performance.now()
      latenciesMs.push(now - sentAt)
      if (now < end) sendNext(connection)
      else if (--underWay === 0) resolve(now)
    }
  }
  for (const connection of connections.slice(0, atATime)) connection.send()
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
