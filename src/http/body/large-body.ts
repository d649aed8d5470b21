import { concatBlocks } from '../../analysis/pool/concat-blocks.ts'
import type { AnalysisPool, BodyJobKind, BodyJobs } from '../../analysis/pool/jobs.ts'
import type { Refusal } from '../problem.ts'
import type { Exchange } from '../request-context.ts'
import { ByteBudget, ReceivedBody } from './body-buffer.ts'
import { announcedBytes, notReceived, typeRefusal } from './json-body.ts'

/** What takes about a millisecond to decode, parse, check and analyse: 13,000 numbers with all their digits. */
const largeFrom = 256 * 1024

export interface LargeBodiesOptions {
  readonly threads: Pick<AnalysisPool, 'run' | 'warmUp'>
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
   * @throws WorkerExited when the thread ended in the middle of it
   */
  async run<K extends BodyJobKind>(
    job: BodyJobs[K]['job'],
    request: Request,
    exchange: Exchange,
    here: (bytes: Uint8Array) => BodyJobs[K]['result'],
  ): Promise<BodyJobs[K]['result'] | Refused> {
    const { threads, bodyBytesMax } = this.#options
    const { bytesFrom } = this
    const wrongType = typeRefusal(request)
    if (wrongType !== undefined) return refused(wrongType)
    const controller = new AbortController()
    exchange.abandon = () => controller.abort()
    const { signal } = controller
    // Started while the body is on its way: that takes about as long as its start.
    if (announcedBytes(request) > bytesFrom) threads.warmUp()
    const received = await ReceivedBody.receive(request, {
      bytesMax: bodyBytesMax,
      budget: this.#budget,
      freeBytes: bytesFrom,
      signal,
    })
    if (!(received instanceof ReceivedBody)) return refused(received)
    using body = received
    const { size } = body
    if (size <= bytesFrom) return here(concatBlocks(body.blocks, size))
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

interface Refused {
  readonly ok: false
  readonly refusal: Refusal
}

const refused = (refusal: Refusal): Refused => ({ ok: false, refusal })
