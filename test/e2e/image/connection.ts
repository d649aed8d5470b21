import { connect, type Socket } from 'node:net'

/** A complete response. */
export interface Answer {
  readonly status: number
  readonly body: string
  /** The server sent `Connection: close`. */
  readonly closes: boolean
}

/**
 * A TCP connection with just enough HTTP/1.1 to recognize a lost request. Client libraries are unsuitable: most repeat
 * a request when a kept-alive connection closes, and so hide lost requests.
 */
export interface Connection {
  /** False once either side has closed it. */
  readonly usable: boolean
  /**
   * Sends one request completely and waits for its response.
   *
   * @throws Error if the connection ends before the response is complete: the request is lost
   */
  exchange(request: string): Promise<Answer>
  close(): void
}

/**
 * Connects.
 *
 * @returns undefined if the connection is refused: nothing was sent, so nothing can be lost
 */
export function open(port: number): Promise<Connection | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.once('error', () => resolve(undefined))
    socket.once('connect', () => resolve(over(socket)))
  })
}

function over(socket: Socket): Connection {
  let received = ''
  let usable = true
  let waiting: PromiseWithResolvers<Answer> | undefined

  const end = (why: string) => {
    usable = false
    waiting?.reject(new Error(`${why} after ${received.length} bytes of the answer`))
    waiting = undefined
  }
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    received += chunk
    const answer = parse(received)
    if (answer === undefined) return
    received = ''
    if (answer.closes) usable = false
    waiting?.resolve(answer)
    waiting = undefined
  })
  socket.on('end', () => end('closed by the server'))
  socket.on('close', () => end('closed'))
  socket.on('error', (error) => end(error.message))

  return {
    get usable() {
      return usable
    },
    exchange(request) {
      waiting = Promise.withResolvers<Answer>()
      socket.write(request)
      return waiting.promise
    },
    close() {
      socket.destroy()
    },
  }
}

/** The response, once it is complete. */
function parse(received: string): Answer | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = received.slice(0, headEnd)
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1])
  const body = received.slice(headEnd + 4)
  if (body.length < length) return undefined
  return { status: Number(head.split(' ', 2)[1]), body, closes: /^connection: *close/im.test(head) }
}
