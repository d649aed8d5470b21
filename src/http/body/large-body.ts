import type { NewTask } from '../../analysis/parse/parse-new-task.ts'
import type { PayloadOutcome } from '../../analysis/parse/payload-outcome.ts'
import type { RunOptions } from '../../analysis/pool/thread-pool.ts'
import type { Refusal } from '../problem.ts'
import type { Exchange } from '../request-context.ts'
import { ByteBudget, joined, ReceivedBody } from './body-buffer.ts'
import { announcedBytes, notReceived, typeRefusal } from './json-body.ts'

/** What takes about a millisecond to decode, parse, check and analyse: 13,000 numbers with all their digits. */
const largeFrom = 256 * 1024

/** What is to be done with a body, and what comes of it. */
export interface BodyWork {
  readonly payload: { readonly job: { readonly kind: 'payload' }; readonly outcome: PayloadOutcome }
  readonly 'new-task': {
    readonly job: { readonly kind: 'new-task'; readonly isKeyed: boolean }
    readonly outcome: NewTask
  }
}

type Kind = keyof BodyWork

/** A large body as a thread gets it: the bytes of the blocks one after another, of the last one what `size` leaves. */
export type LargeBody<K extends Kind = Kind> = BodyWork[K]['job'] & {
  readonly blocks: readonly ArrayBuffer[]
  readonly size: number
}

/** The threads that work on large bodies; `prepare` says that one is on its way. */
export interface LargeBodyThreads {
  prepare(): void
  run<K extends Kind>(
    body: LargeBody<K>,
    options: Pick<RunOptions, 'transfer' | 'signal'>,
  ): Promise<BodyWork[K]['outcome']>
}

export interface LargeBodiesOptions {
  readonly threads: LargeBodyThreads
  /** Bodies above this many bytes go to a thread. Default: what holds up the event loop for about a millisecond. */
  readonly bytesFrom?: number
  /** Bytes of a body above which it is refused. */
  readonly bodyBytesMax: number
  /** Bytes of all large bodies that are held at a time; a body that goes beyond is refused. */
  readonly heldBytesMax: number
}

/**
 * Bodies that would hold up the event loop: they are received piece by piece and given to a thread, which decodes,
 * parses, checks and analyses them.
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
   * @param here what a body that turns out to be small is given to
   * @returns the outcome; a refusal at once when the budget is used up
   * @throws ThreadDied when the thread ended in the middle of it
   */
  async run<K extends Kind>(
    job: BodyWork[K]['job'],
    request: Request,
    exchange: Exchange,
    here: (bytes: Uint8Array) => BodyWork[K]['outcome'],
  ): Promise<BodyWork[K]['outcome']> {
    const { threads, bodyBytesMax } = this.#options
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
      return await threads.run<K>({ ...job, blocks, size }, { transfer: blocks, signal })
    } catch (error) {
      // The request was answered when its time was over: nobody hears this.
      if (signal.aborted) return refused(notReceived)
      throw error
    }
  }
}

const refused = (refusal: Refusal): { ok: false; refusal: Refusal } => ({ ok: false, refusal })
