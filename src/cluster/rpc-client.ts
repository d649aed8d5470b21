import { withTimeout } from '../lifecycle/index.ts'

export interface RequestMessage<Request> {
  readonly type: 'request'
  readonly id: number
  readonly request: Request
}

export interface ResponseMessage {
  readonly type: 'response'
  /** The id of the request. */
  readonly id: number
  readonly response: unknown
}

/**
 * Sends requests to another process and matches the responses by id.
 *
 * @example
 * const client = new RpcClient<WorkerRequest, WorkerResponses>((message) => child.send(message))
 * const checks = await client.request({ kind: 'checks' }, 800) // undefined at the timeout
 */
export class RpcClient<
  Request extends { readonly kind: string },
  Responses extends Record<Request['kind'], unknown>,
> {
  readonly #send: (message: RequestMessage<Request>) => void
  readonly #pending = new Map<number, (response: unknown) => void>()
  #lastId = 0

  constructor(send: (message: RequestMessage<Request>) => void) {
    this.#send = send
  }

  /** @returns the response, or undefined when there is none within `timeoutMs` */
  async request<One extends Request>(
    request: One,
    timeoutMs: number,
  ): Promise<Responses[One['kind']] | undefined> {
    const id = ++this.#lastId
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.#pending.set(id, resolve)
    try {
      this.#send({ type: 'request', id, request })
      // The id belongs to this request, and the kind of a request determines the type of its response.
      return (await withTimeout(promise, timeoutMs, () => undefined)) as Responses[One['kind']] | undefined
    } finally {
      this.#pending.delete(id)
    }
  }

  /** Resolves the request of a response. A response after the timeout is ignored. */
  handleResponse({ id, response }: ResponseMessage): void {
    this.#pending.get(id)?.(response)
  }
}
