import type { Refusal } from '../problem.ts'
import { announcedBytes, notReceived, tooLarge } from './json-body.ts'

/** Bytes that may be held at a time, whoever holds them: what bounds the memory and the waiting of large bodies. */
export class ByteBudget {
  #left: number
  constructor(bytesMax: number) {
    this.#left = bytesMax
  }

  /** @returns whether there were so many left; if not, none is taken. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  give(bytes: number): void {
    this.#left += bytes
  }
}

/** A body of no announced size is put into blocks, each as large as those before it together, between these bounds. */
const blockBytesMin = 16 * 1024
const blockBytesMax = 2 ** 20

export interface ReceiveOptions {
  readonly bytesMax: number
  readonly budget: ByteBudget
  /** So much of a body of no announced size is not counted: until then it may be a small one. */
  readonly freeBytes: number
  /** When it aborts nobody waits for the body any more: nothing of it is kept. */
  readonly signal: AbortSignal
}

/**
 * A large body while it arrives and is worked on: its bytes in one buffer, or in a few, which can be transferred to a
 * thread as they are. They count against the budget until the body is disposed of.
 *
 * Why not `request.bytes()`: for 18 MB it holds the event loop for 30 ms at a time. A stream lets others in between,
 * and its pieces are copied into memory that is there already, so that a body sent byte by byte costs no more of it.
 */
export class ReceivedBody implements Disposable {
  readonly blocks: ArrayBuffer[] = []
  size = 0
  #room = new Uint8Array()
  #allocated = 0
  #held = 0

  private constructor(private readonly options: ReceiveOptions) {}

  /**
   * Receives the body of a request.
   *
   * A body that is refused is read to its end all the same, and dropped: a client that is still sending would see a
   * broken connection and not the answer. One whose announced size is refused is not even begun: Bun drops it.
   */
  static async receive(request: Request, options: ReceiveOptions): Promise<ReceivedBody | Refusal> {
    const announced = announcedBytes(request)
    if (announced > options.bytesMax) return tooLarge(options.bytesMax)
    const body = new ReceivedBody(options)
    if (announced >= 0 && !body.#grow(announced, true)) return overloaded
    const dispose = () => body[Symbol.dispose]()
    options.signal.addEventListener('abort', dispose, { once: true })
    try {
      const refusal = request.body === null ? undefined : await body.#read(request.body)
      if (refusal === undefined) return body
      dispose()
      return refusal
    } catch {
      dispose()
      return notReceived
    }
  }

  [Symbol.dispose](): void {
    this.options.budget.give(this.#held)
    this.#held = 0
    this.#room = new Uint8Array()
    this.blocks.length = 0
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<Refusal | undefined> {
    let refusal: Refusal | undefined
    for await (const piece of stream) {
      refusal ??= this.options.signal.aborted ? notReceived : this.#keep(piece)
      if (refusal !== undefined) this[Symbol.dispose]()
    }
    return refusal
  }

  #keep(piece: Uint8Array): Refusal | undefined {
    this.size += piece.byteLength
    if (this.size > this.options.bytesMax) return tooLarge(this.options.bytesMax)
    let left = piece
    while (left.byteLength > 0) {
      if (this.#room.byteLength === 0 && !this.#growOn()) return overloaded
      const now = left.subarray(0, this.#room.byteLength)
      this.#room.set(now)
      this.#room = this.#room.subarray(now.byteLength)
      left = left.subarray(now.byteLength)
    }
    release(piece)
    return undefined
  }

  #growOn(): boolean {
    const bytes = Math.min(Math.max(this.#allocated, blockBytesMin), blockBytesMax)
    return this.#grow(bytes, this.#allocated >= this.options.freeBytes)
  }

  /** One more block. @returns whether the budget has room for it. */
  #grow(bytes: number, counted: boolean): boolean {
    if (counted) {
      if (!this.options.budget.take(bytes)) return false
      this.#held += bytes
    }
    // Not `new ArrayBuffer`, whose zeros are 2 ms for 18 MB: of a block nobody reads more than was written.
    const block = Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer
    this.blocks.push(block)
    this.#allocated += bytes
    this.#room = new Uint8Array(block)
    return true
  }
}

/** Gives the memory of a piece back now: until the next garbage collection the pieces would be as much as the body. */
function release({ buffer, byteLength }: Uint8Array): void {
  // A buffer that the piece does not fill may be that of other pieces as well.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

export const overloaded: Refusal = {
  code: 'overloaded',
  detail: 'Other large bodies are being worked on. Send this one again in a moment.',
  headers: { 'retry-after': '1' },
}
