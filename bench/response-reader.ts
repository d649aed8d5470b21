/** One complete HTTP response. */
export interface Answer {
  readonly status: number
  readonly body: Buffer
}

const headEnd = '\r\n\r\n'
const statusLine = /^HTTP\/1\.1 (\d{3}) /
const contentLength = /\r\ncontent-length: *(\d+)\r\n/i

/**
 * Puts the responses of one connection together from the pieces they arrive in. It knows what a benchmark
 * needs and no more: HTTP/1.1 with a Content-Length, one response at a time.
 */
export class ResponseReader {
  #received: Buffer | undefined

  /**
   * Takes what has arrived; gives the response once it is complete.
   *
   * @throws Error for a response without Content-Length, or followed by bytes that nobody asked for.
   */
  push(chunk: Buffer): Answer | undefined {
    // Nearly every response is one piece, so nothing is copied unless it is not.
    const data = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk])
    const bodyStart = data.indexOf(headEnd) + headEnd.length
    if (bodyStart < headEnd.length) return this.#wait(data)
    const head = data.toString('latin1', 0, bodyStart)
    const [, status] = statusLine.exec(head) ?? []
    const [, length] = contentLength.exec(head) ?? []
    if (status === undefined || length === undefined)
      throw new Error(`not an HTTP/1.1 response with Content-Length: ${head.slice(0, 200)}`)
    const end = bodyStart + Number(length)
    if (data.length < end) return this.#wait(data)
    if (data.length > end) throw new Error('more bytes arrived than the response has')
    this.#received = undefined
    return { status: Number(status), body: data.subarray(bodyStart) }
  }

  /** The runtime may use the piece's memory again, so what has to wait is copied. */
  #wait(data: Buffer): undefined {
    this.#received = Buffer.from(data)
  }
}
