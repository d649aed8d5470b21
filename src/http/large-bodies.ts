import type { RunOptions } from '../threads/thread-pool.ts'
import { announcedBytes, notReceived, typeRefusal } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { PayloadOutcome } from './payload-outcome.ts'
import type { Refusal } from './problem.ts'
import { ByteBudget, joined, ReceivedBody } from './received-body.ts'

const largeFrom = 256 * 1024

/** A large body as a thread gets it: the bytes of the blocks one after another, of the last one what `size` leaves. */
export interface LargeBody {
  readonly kind: 'payload'
  readonly blocks: readonly ArrayBuffer[]
  readonly size: number
}

/** The threads that work on large bodies; `prepare` says that one is on its way. */
export interface LargeBodyThreads {
  prepare(): void
  run(body: LargeBody, options: Pick<RunOptions, 'transfer' | 'signal'>): Promise<PayloadOutcome>
}

export interface LargeBodiesOptions {
  readonly threads: LargeBodyThreads
  /** Bodies above this many bytes go to a thread. Default: what holds up the event loop for about a millisecond. */
  readonly bytesFrom?: number
  /** Bytes of a body above which it is refused. */
  readonly bodyBytesMax: number
  /** Bytes of all large bodies that are held at a time; a body that goes beyond is refused. */
  readonly heldBytesMax: number
  /** What a body that turns out to be small is given to. */
  readonly here: (bytes: Uint8Array) => PayloadOutcome
}

/**
 * Bodies that would hold up the event loop: they are received piece by piece and given to a thread, which decodes,
 * parses, checks and analyses them. What comes back is small.
 */
export class LargeBodies {
  /** Bodies above this many bytes are large. */
  readonly bytesFrom: number
  readonly #options: LargeBodiesOptions
  readonly #budget: ByteBudget

  constructor(options: LargeBodiesOptions) {
    this.#options = options
    this.bytesFrom = options.bytesFrom ?? largeFrom
    this.#budget = new ByteBudget(options.heldBytesMax)
  }

  /**
   * @returns the outcome; a refusal at once when the budget is used up
   * @throws ThreadDied when the thread ended in the middle of it
   */
  async run(
    { kind }: Pick<LargeBody, 'kind'>,
    request: Request,
    exchange: Exchange,
  ): Promise<PayloadOutcome> {
    const { threads, bodyBytesMax, here } = this.#options
    const { bytesFrom } = this
    const wrongType = typeRefusal(request)
    if (wrongType !== undefined) return refused(wrongType)
    const controller = new AbortController()
    exchange.abandon = () => controller.abort()
    const { signal } = controller
    // Started while the body is on its way: that takes about as long as its start.
    if (announcedBytes(request) > bytesFrom) threads.prepare()
    const received = await ReceivedBody.receive(request, {
      bytesMax: bodyBytesMax,
      budget: this.#budget,
      freeBytes: bytesFrom,
      signal,
    })
    if (!(received instanceof ReceivedBody)) return refused(received)
    using body = received
    const { size } = body
    if (size <= bytesFrom) return here(joined(body.blocks, size))
    const blocks = [...body.blocks]
    try {
      return await threads.run({ kind, blocks, size }, { transfer: blocks, signal })
    } catch (error) {
      // The request was answered when its time was over: nobody hears this.
      if (signal.aborted) return refused(notReceived)
      throw error
    }
  }
}

const refused = (refusal: Refusal): PayloadOutcome => ({ ok: false, refusal })
