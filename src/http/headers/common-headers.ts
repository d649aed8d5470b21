/**
 * The headers that every response of this instance carries. A response built with them at once is cheaper than one that
 * gets them afterwards, so the hot handlers use the functions below and the others plain `c.json`.
 */
export class CommonHeaders {
  readonly #instance: string
  readonly #json: Response
  readonly #jsonHeaders: Headers

  /** @param instance the value of `X-Served-By` */
  constructor(instance: string) {
    this.#instance = instance
    this.#json = new Response(null, { headers: this.forText('application/json', '') })
    // Kept: a response creates its Headers object on first access.
    this.#jsonHeaders = this.#json.headers
  }

  /**
   * The settings of a 200 JSON response, to be passed to `Response.json` at once: the next call changes them. The runtime
   * copies a prepared response's headers without validating names and values again.
   */
  forJson(requestId: string): Response {
    this.#jsonHeaders.set('x-request-id', requestId)
    return this.#json
  }

  forText(contentType: string, requestId: string): Record<string, string> {
    return { 'content-type': contentType, ...this.identity(requestId) }
  }

  identity(requestId: string): Record<string, string> {
    return {
      'x-request-id': requestId,
      'x-served-by': this.#instance,
      'x-content-type-options': 'nosniff',
    }
  }
}
