import { connect, type Socket } from 'node:net'

/** What one kind of client sends on a connection, and when it disconnects. */
type Behavior = (connection: Connection) => Promise<void>

const host = 'Host: tally.example\r\n'
const json = `${host}Content-Type: application/json\r\n`
const body = '{"numbers":[1],"text":"a"}'
const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
const chunkedHead = (path: string): string =>
  `POST ${path} HTTP/1.1\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
const postHead = (length: number, path = '/payload'): string =>
  `POST ${path} HTTP/1.1\r\n${json}Content-Length: ${length}\r\n\r\n`

/** A client that sends several requests on a connection. */
const ask =
  (...requests: readonly string[]): Behavior =>
  async (connection) => {
    for (const request of requests) {
      connection.send(request)
      if (!(await connection.response())) return
    }
  }
const twice = (request: string): Behavior => ask(request, request)

const largeBytes = 64 * 2 ** 20
const megabyte = 'a'.repeat(2 ** 20)

/** Legal but rare requests, and clients that disconnect or are slow. */
export const awkwardClients: Readonly<Record<string, Behavior>> = {
  'chunked, with trailers': twice(`${chunkedHead('/payload')}${chunk}0\r\nX-A: b\r\n\r\n`),
  'chunked document, with trailers': twice(`${chunkedHead('/data')}${chunk}0\r\nX-A: b\r\n\r\n`),
  'chunked, trailers come later': async (connection) => {
    connection.send(`${chunkedHead('/payload')}${chunk}0\r\n`)
    await Bun.sleep(5)
    connection.send('X-A: b\r\n\r\n')
    await connection.response()
  },
  chunked: twice(`${chunkedHead('/payload')}${chunk}0\r\n\r\n`),
  'GET with a chunked body and trailers': twice(
    `GET /health HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: b\r\n\r\n`,
  ),
  'HTTP/1.0': ask(`GET /health HTTP/1.0\r\n${host}\r\n`),
  'HTTP/1.0, kept alive': twice(`GET /health HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`),
  'HTTP/1.0 with a body': ask(
    `POST /payload HTTP/1.0\r\n${json}Connection: keep-alive\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ),
  'aborted body': async (connection) => {
    connection.send(`${postHead(1_000)}{"numbers":[1`)
    await Bun.sleep(5)
  },
  'aborted large body': async (connection) => {
    connection.send(postHead(largeBytes / 4))
    for (let sent = 0; sent < 3; sent++) connection.send(megabyte)
    await Bun.sleep(20)
  },
  'aborted chunked body': async (connection) => {
    connection.send(`${chunkedHead('/payload')}${chunk}`)
    await Bun.sleep(5)
  },
  'slow body': async (connection) => {
    connection.send(postHead(body.length))
    for (const byte of body) {
      connection.send(byte)
      await Bun.sleep(20)
    }
    await connection.response()
  },
  'body that is too large by its length': async (connection) => {
    connection.send(`${postHead(largeBytes)}${megabyte}`)
    await connection.response()
  },
  'document that turns out to be too large': async (connection) => {
    connection.send(chunkedHead('/data'))
    for (let sent = 0; sent < 3; sent++) connection.send(`${megabyte.length.toString(16)}\r\n${megabyte}\r\n`)
    connection.send('0\r\nX-A: b\r\n\r\n')
    await connection.response()
  },
  'leaves without reading': async (connection) => {
    connection.send(`${postHead(body.length)}${body}`)
  },
  'asks for an upgrade': twice(
    `GET /health HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  ),
  'expects 100': ask(
    `POST /payload HTTP/1.1\r\n${json}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ),
  'asks for *': ask(`OPTIONS * HTTP/1.1\r\n${host}\r\n`),
}

/** The number of connections of each kind, and of its responses by status. */
export type AwkwardCounts = Record<string, { connections: number; statuses: Record<string, number> }>

/**
 * Runs every kind of awkward client against a port, one after the other, each on its own connection.
 *
 * @param pauseMs between two connections of a kind
 * @returns a function that ends them and returns their counts
 */
export function runAwkwardClients(port: number, pauseMs: number): () => Promise<AwkwardCounts> {
  let isRunning = true
  const counts: AwkwardCounts = {}
  const runs = Object.entries(awkwardClients).map(async ([name, behave]) => {
    const count = { connections: 0, statuses: {} as Record<string, number> }
    counts[name] = count
    while (isRunning) {
      using connection = new Connection(port)
      await behave(connection)
      count.connections++
      for (const status of connection.statuses) count.statuses[status] = (count.statuses[status] ?? 0) + 1
      await Bun.sleep(pauseMs)
    }
  })
  return async () => {
    isRunning = false
    await Promise.all(runs)
    return counts
  }
}

/** Timeout of a response, in ms. */
const patienceMs = 20_000

class Connection implements Disposable {
  readonly statuses: string[] = []
  readonly #socket: Socket
  #received = ''
  #hasEnded = false
  #wake = (): void => {}

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const end = (): void => {
      this.#hasEnded = true
      this.#wake()
    }
    this.#socket
      .on('data', (bytes) => {
        this.#received += bytes.toString('latin1')
        this.#wake()
      })
      .on('end', end)
      .on('close', end)
      .on('error', end)
  }

  send(text: string): void {
    if (!this.#hasEnded) this.#socket.write(text)
  }

  /** Waits for the head of a final response. @returns false if the connection ended or the time is over */
  async response(): Promise<boolean> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const head = /^HTTP\/1\.[01] (\d{3})[\s\S]*?\r\n\r\n/.exec(this.#received)
      if (head !== null) {
        this.#received = this.#received.slice(head[0].length)
        if (head[1] === '100') continue
        this.statuses.push(head[1] as string)
        // The body ends before the next head begins.
        const length = Number(/content-length: (\d+)/i.exec(head[0])?.[1] ?? 0)
        while (this.#received.length < length && !this.#hasEnded) await this.#next(deadline)
        this.#received = this.#received.slice(length)
        return !this.#hasEnded
      }
      if (this.#hasEnded || performance.now() > deadline) return false
      await this.#next(deadline)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  async #next(deadline: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()) + 1)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
