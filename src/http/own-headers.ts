/**
 * The headers that every answer of this instance carries.
 *
 * Most answers are JSON and differ in one of them, the request id. Their headers are made once, in a response that is
 * handed to each new one as its settings: the runtime copies them without looking at their names and values again. A
 * small answer costs 0.75 µs less of 11 than with an object of four headers, as much as with a single one.
 */
export class OwnHeaders {
  readonly #servedBy: string
  readonly #json: Response
  readonly #jsonHeaders: Headers

  /** @param servedBy the instance that answers */
  constructor(servedBy: string) {
    this.#servedBy = servedBy
    this.#json = new Response(null, { headers: this.with('application/json', '') })
    // Kept, for a response makes the object of its headers anew whenever it is asked for the first time.
    this.#jsonHeaders = this.#json.headers
  }

  /** For a JSON answer with status 200: to be given to `new Response` at once, for the next call changes it. */
  json(requestId: string): Response {
    this.#jsonHeaders.set('x-request-id', requestId)
    return this.#json
  }

  /** For any other answer. */
  with(contentType: string, requestId: string): Record<string, string> {
    return { 'content-type': contentType, ...this.identity(requestId) }
  }

  /** What an answer gets that somebody else made. */
  identity(requestId: string): Record<string, string> {
    return {
      'x-request-id': requestId,
      'x-served-by': this.#servedBy,
      'x-content-type-options': 'nosniff',
    }
  }
}
