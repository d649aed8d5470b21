import { largeBodiesBusy, type Problem } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import type { ByteBudget } from './byte-budget.ts'
import { bodyTooLarge, contentLength, incompleteBody } from './json-body.ts'

/** A body without a length is stored in blocks, each as large as those before it together, within these bounds. */
const minBlockBytes = 16 * 1024
const maxBlockBytes = 2 ** 20

/** The part of the request context that a body needs. */
export type ReceivingContext = Pick<
  RequestContext,
  'signal' | 'beginBody' | 'endBody' | 'receivedBytes' | 'arrivals'
>

export interface ReceiveOptions {
  readonly maxBytes: number
  readonly budget: ByteBudget
  /** The first bytes of a body without a length, which do not count: it may be a small one. */
  readonly uncountedBytes: number
  /** Of the request. When it aborts, the body is discarded. */
  readonly context: ReceivingContext
}

/**
 * A large body while it is received and processed: its bytes in one buffer, or in a few, which can be transferred to a
 * thread as they are. They count against the budget until the body is disposed of.
 *
 * Not `request.bytes()`, which blocks the event loop for large bodies. A stream lets other requests in between. Its chunks
 * are copied into memory allocated before, so that a body sent byte by byte needs no more of it.
 */
export class BodyBuffer implements Disposable {
  readonly blocks: ArrayBuffer[] = []
  size = 0
  #free = new Uint8Array()
  #allocated = 0
  #counted = 0

  private constructor(private readonly options: ReceiveOptions) {}

  /**
   * Receives the body of a request.
   *
   * A refused body is read to its end and dropped: a client that is still sending would see a broken connection instead of
   * the response. One whose announced size is refused is not read at all: Bun drops it.
   */
  static async receive(request: Request, options: ReceiveOptions): Promise<BodyBuffer | Problem> {
    const length = contentLength(request)
    if (length > options.maxBytes) return bodyTooLarge(options.maxBytes)
    const body = new BodyBuffer(options)
    const dispose = () => body[Symbol.dispose]()
    const { context } = options
    context.signal.addEventListener('abort', dispose, { once: true })
    context.receivedBytes = 0
    context.beginBody(length)
    try {
      if (length >= 0 && !body.#allocate(length, true)) return largeBodiesBusy
      const problem = request.body === null ? undefined : await body.#read(request.body)
      if (problem === undefined) return body
      dispose()
      return problem
    } catch (error) {
      dispose()
      // Out of memory, which the client did not cause.
      if (error instanceof RangeError) throw error
      return incompleteBody
    } finally {
      context.endBody()
    }
  }

  [Symbol.dispose](): void {
    this.options.budget.release(this.#counted)
    this.#counted = 0
    this.#free = new Uint8Array()
    this.blocks.length = 0
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<Problem | undefined> {
    let problem: Problem | undefined
    for await (const chunk of stream) {
      problem ??= this.options.context.signal.aborted ? incompleteBody : this.#append(chunk)
      if (problem !== undefined) this[Symbol.dispose]()
    }
    return problem
  }

  #append(chunk: Uint8Array): Problem | undefined {
    this.size += chunk.byteLength
    this.options.context.receivedBytes = this.size
    if (this.size > this.options.maxBytes) return bodyTooLarge(this.options.maxBytes)
    let rest = chunk
    while (rest.byteLength > 0) {
      if (this.#free.byteLength === 0 && !this.#allocateNext()) return largeBodiesBusy
      const part = rest.subarray(0, this.#free.byteLength)
      this.#free.set(part)
      this.#free = this.#free.subarray(part.byteLength)
      rest = rest.subarray(part.byteLength)
    }
    freeMemory(chunk)
    return undefined
  }

  #allocateNext(): boolean {
    const bytes = Math.min(Math.max(this.#allocated, minBlockBytes), maxBlockBytes)
    return this.#allocate(bytes, this.#allocated >= this.options.uncountedBytes)
  }

  /** Adds a block. @returns false when the budget has no room for it */
  #allocate(bytes: number, isCounted: boolean): boolean {
    if (isCounted) {
      const { budget, context } = this.options
      if (!budget.take(bytes)) {
        // Bodies that hardly progress must not hold memory that others could use.
        context.arrivals.endSlow()
        if (!budget.take(bytes)) return false
      }
      this.#counted += bytes
    }
    // Not `new ArrayBuffer`, which zeroes its memory: no reader goes beyond what was written.
    const block = Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer
    this.blocks.push(block)
    this.#allocated += bytes
    this.#free = new Uint8Array(block)
    return true
  }
}

/** Frees the memory of a chunk now: until the next garbage collection the chunks would be as large as the body. */
function freeMemory({ buffer, byteLength }: Uint8Array): void {
  // A buffer larger than the chunk may hold other chunks as well.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
