import { connect, type Socket } from 'node:net'

/** A response as received. */
export interface WireResponse {
  readonly status: number
  readonly headers: Headers
  /** The body without its framing; empty if bodies are only counted. */
  readonly body: string
  readonly bodyLength: number
}

export interface ConnectionOptions {
  readonly hostname?: string
  /** Discard bodies and only count their bytes: for large ones. */
  readonly countOnly?: boolean
  /** Read at most `bytes`, then pause for `pauseMs`, and so on. */
  readonly slowReader?: { readonly bytes: number; readonly pauseMs: number }
}

/**
 * An HTTP/1.1 connection that hides nothing: the bytes sent, the bytes received, and whether the server closed
 * (FIN) or reset (RST) it. No retries, no pool.
 */
export class HttpConnection {
  /** How the server ended the connection, as far as this side knows. */
  ended: 'no' | 'fin' | 'reset' = 'no'
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  #received: Buffer = Buffer.alloc(0)
  #parsing: Parsing | undefined
  #wake: () => void = () => {}

  /** @throws Error if the connection is refused */
  static async open(port: number, options: ConnectionOptions = {}): Promise<HttpConnection> {
    const socket = connect({ port, host: options.hostname ?? '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new HttpConnection(socket, options)
  }

  private constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    let readSincePause = 0
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes)
      readSincePause += bytes.length
      const { slowReader } = options
      if (slowReader === undefined || readSincePause < slowReader.bytes) return
      readSincePause = 0
      socket.pause()
      setTimeout(() => socket.resume(), slowReader.pauseMs)
    })
    socket.on('end', () => this.#end('fin'))
    socket.on('error', () => this.#end('reset'))
    socket.on('close', () => this.#end('fin'))
  }

  /** Passes bytes to the system unchanged. */
  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** The next complete response; undefined if the connection ended before it. */
  async next(): Promise<WireResponse | undefined> {
    for (;;) {
      const response = this.#parse()
      if (response !== undefined) return response
      if (this.ended !== 'no') return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Resolves when the server has ended the connection, with how it did. */
  async end(): Promise<'fin' | 'reset'> {
    for (;;) {
      if (this.ended !== 'no') return this.ended
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #end(how: 'fin' | 'reset'): void {
    if (this.ended === 'no') this.ended = how
    this.#wake()
  }

  #take(bytes: Buffer): void {
    const parsing = this.#parsing
    if (this.#options.countOnly && parsing?.left !== undefined && parsing.left >= bytes.length) {
      parsing.left -= bytes.length
      parsing.bodyLength += bytes.length
    } else {
      this.#received = Buffer.concat([this.#received, bytes])
    }
    this.#wake()
  }

  #parse(): WireResponse | undefined {
    this.#parsing ??= this.#parseHead()
    const parsing = this.#parsing
    if (parsing === undefined) return undefined
    while (this.#parseBody(parsing));
    if (!parsing.complete) return undefined
    this.#parsing = undefined
    const { status, headers, bodyLength } = parsing
    return { status, headers, bodyLength, body: Buffer.concat(parsing.body).toString() }
  }

  #parseHead(): Parsing | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const [statusLine = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n')
    this.#received = this.#received.subarray(end + 4)
    const headers = new Headers(
      lines.map((line): [string, string] => [
        line.slice(0, line.indexOf(':')),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    )
    const chunked = headers.get('transfer-encoding') === 'chunked'
    return {
      status: Number(statusLine.split(' ')[1]),
      headers,
      chunked,
      left: chunked ? undefined : Number(headers.get('content-length') ?? 0),
      body: [],
      bodyLength: 0,
      complete: false,
    }
  }

  /** Consumes one piece of the body. @returns whether there may be another */
  #parseBody(parsing: Parsing): boolean {
    if (parsing.chunked && parsing.left === undefined) {
      const lineEnd = this.#received.indexOf('\r\n')
      if (lineEnd === -1) return false
      const size = Number.parseInt(this.#received.toString('latin1', 0, lineEnd), 16)
      if (this.#received.length < lineEnd + 2 + size + 2) return false
      this.#keep(parsing, this.#received.subarray(lineEnd + 2, lineEnd + 2 + size))
      this.#received = this.#received.subarray(lineEnd + 2 + size + 2)
      parsing.complete = size === 0
      return !parsing.complete
    }
    const left = parsing.left ?? 0
    const piece = this.#received.subarray(0, left)
    this.#keep(parsing, piece)
    this.#received = this.#received.subarray(piece.length)
    parsing.left = left - piece.length
    parsing.complete = parsing.left === 0
    return false
  }

  #keep(parsing: Parsing, piece: Buffer): void {
    parsing.bodyLength += piece.length
    if (!this.#options.countOnly) parsing.body.push(piece)
  }
}

interface Parsing {
  readonly status: number
  readonly headers: Headers
  readonly chunked: boolean
  /** Bytes of the body that remain; undefined for a chunked body, which announces no size. */
  left: number | undefined
  readonly body: Buffer[]
  bodyLength: number
  complete: boolean
}

/** The bytes of a GET request. */
export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: tally.example\r\n\r\n`
}

/** The bytes of a POST request with JSON. */
export function postJson(path: string, body: string): string {
  return `${jsonHead(path, body)}${body}`
}

/** Only the head of a POST request with JSON, for a body that follows later. */
export function jsonHead(path: string, body: string): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: tally.example\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  )
}
