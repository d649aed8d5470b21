import { connect } from 'node:net'

/** One response as received. */
export interface RawResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

export interface RawConnection extends Disposable {
  /** Sends bytes unchanged; a string as Latin-1. Resolves when they are passed to the system. */
  send(bytes: string | Uint8Array): Promise<void>
  /**
   * The next complete response, or undefined if the server closes the connection before one. @param method of the
   * request: after HEAD a length announces no body
   */
  next(method?: 'HEAD'): Promise<RawResponse | undefined>
}

/** A TCP connection for requests that no HTTP client would send. */
export async function connectRaw(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let received = ''
  let ended = false
  let wake = (): void => {}
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1')
    wake()
  })
  const end = (): void => {
    ended = true
    wake()
  }
  socket.on('end', end).on('close', end).on('error', end)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))

  return {
    send: (bytes) =>
      new Promise((resolve) => {
        socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve())
      }),
    async next(method) {
      for (;;) {
        const parsed = parseResponse(received, method === 'HEAD')
        if (parsed !== undefined) {
          received = received.slice(parsed.length)
          return parsed.response
        }
        if (ended) return undefined
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

/** One request, its response, and then the end of the connection from our side. */
export async function exchangeRaw(
  port: number,
  bytes: string | Uint8Array,
): Promise<RawResponse | undefined> {
  using connection = await connectRaw(port)
  void connection.send(bytes)
  return await connection.next()
}

/** The first complete response in the received bytes, and its length. */
function parseResponse(
  text: string,
  bodiless: boolean,
): { response: RawResponse; length: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const headers = new Headers(
    lines.map((line): [string, string] => [
      line.slice(0, line.indexOf(':')),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  const bodyStart = headEnd + 4
  const length = bodyStart + (bodiless ? 0 : Number(headers.get('content-length') ?? 0))
  if (text.length < length) return undefined
  const status = Number(statusLine.split(' ')[1])
  return { response: { status, headers, body: text.slice(bodyStart, length) }, length }
}
