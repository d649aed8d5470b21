/** One complete HTTP response. */
export interface RawResponse {
  readonly status: number
  readonly body: Buffer
}

const headEnd = '\r\n\r\n'
const statusLine = /^HTTP\/1\.1 (\d{3}) /
const contentLength = /\r\ncontent-length: *(\d+)\r\n/i

/**
 * Assembles the responses of one connection from chunks. It supports only the needs of the benchmark: HTTP/1.1 with
 * Content-Length, one response at a time.
 */
export class ResponseReader {
  #received: Buffer | undefined

  /**
   * Adds a chunk; returns the response once it is complete.
   *
   * @throws Error for a response without Content-Length or with extra bytes after it.
   */
  push(chunk: Buffer): RawResponse | undefined {
    // Nearly every response is one chunk: copy only if it is not.
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
    if (data.length > end) throw new Error('unexpected bytes after the response')
    this.#received = undefined
    return { status: Number(status), body: data.subarray(bodyStart) }
  }

  /** Copies the data, because the runtime may reuse the chunk's memory. */
  #wait(data: Buffer): undefined {
    this.#received = Buffer.from(data)
  }
}
