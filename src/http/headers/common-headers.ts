/** A response to copy. */
interface PreparedResponse {
  readonly status: number
  readonly contentType: string
  readonly response: Response
  /** Those of `response`, which creates this object on first access. */
  readonly headers: Headers
}

/**
 * The headers that every response of this instance carries. A response built with them at once is cheaper than one that
 * gets them afterwards, so the hot handlers use the functions of `respond.ts` and the others plain `c.json`.
 */
export class CommonHeaders {
  readonly #instance: string
  /** By status, content type and the names of further headers. */
  readonly #prepared = new Map<string, PreparedResponse>()
  /** The last one without further headers: most responses are like the previous one. */
  #last: PreparedResponse | undefined

  /** @param instance the value of `X-Served-By` */
  constructor(instance: string) {
    this.#instance = instance
  }

  /**
   * The settings for a new response, to be passed to `new Response` or `Response.json` at once: the next call changes them.
   * The runtime copies a prepared response's headers without validating names and values again.
   *
   * @param headers beyond the common ones; they may replace the content type
   */
  settings(
    requestId: string,
    status: number,
    contentType: string,
    headers: Readonly<Record<string, string>> | undefined,
  ): Response {
    const prepared = this.#find(status, contentType, headers)
    prepared.headers.set('x-request-id', requestId)
    for (const name in headers) prepared.headers.set(name, headers[name] as string)
    return prepared.response
  }

  /** Sets the headers on a response that was built without them. */
  apply(requestId: string, headers: Headers): void {
    for (const [name, value] of Object.entries(this.#identity(requestId))) headers.set(name, value)
  }

  #find(
    status: number,
    contentType: string,
    headers: Readonly<Record<string, string>> | undefined,
  ): PreparedResponse {
    const last = this.#last
    if (headers === undefined && status === last?.status && contentType === last.contentType) return last
    const names = headers === undefined ? '' : Object.keys(headers).join()
    const key = `${status} ${contentType} ${names}`
    const prepared = this.#prepared.get(key) ?? this.#prepare(key, status, contentType)
    if (headers === undefined) this.#last = prepared
    return prepared
  }

  #prepare(key: string, status: number, contentType: string): PreparedResponse {
    const response = new Response(null, {
      status,
      headers: { 'content-type': contentType, ...this.#identity('') },
    })
    const prepared = { status, contentType, response, headers: response.headers }
    this.#prepared.set(key, prepared)
    return prepared
  }

  #identity(requestId: string): Record<string, string> {
    return {
      'x-request-id': requestId,
      'x-served-by': this.#instance,
      'x-content-type-options': 'nosniff',
    }
  }
}
