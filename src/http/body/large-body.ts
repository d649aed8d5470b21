import type { Context } from 'hono'
import { concatBlocks } from '../../analysis/pool/concat-blocks.ts'
import type { AnalysisPool, BodyJobKind, BodyJobs } from '../../analysis/pool/jobs.ts'
import type { Tracing } from '../../telemetry/tracing/tracing.ts'
import type { Env } from '../env.ts'
import { type Problem, ProblemError } from '../problem.ts'
import type { RequestContext } from '../request-context.ts'
import { BodyBuffer } from './body-buffer.ts'
import { ByteBudget } from './byte-budget.ts'
import { checkContentType, contentLength, incompleteBody, type LargeBodyHandler } from './json-body.ts'

/** Larger bodies, in bytes, would block the event loop noticeably: they are decoded, parsed and analyzed by a thread. */
const defaultThreshold = 256 * 1024

export interface LargeBodiesOptions {
  readonly pool: Pick<AnalysisPool, 'warmUp' | 'run'>
  /** Bodies above this many bytes go to a thread. */
  readonly threshold?: number | undefined
  /** Larger bodies are refused. */
  readonly maxBodyBytes: number
  /** Bytes of all large bodies held at a time; a body beyond is refused. */
  readonly maxBufferedBytes: number
}

/** Receives bodies that would block the event loop and passes them to the thread pool. */
export class LargeBodies {
  readonly threshold: number
  readonly #options: LargeBodiesOptions
  readonly #budget: ByteBudget

  constructor(options: LargeBodiesOptions) {
    this.#options = options
    this.threshold = options.threshold ?? defaultThreshold
    this.#budget = new ByteBudget(options.maxBufferedBytes)
  }

  /**
   * Receives a body, whose bytes count as held until it is disposed of.
   *
   * @throws ProblemError when the body is refused, or does not arrive
   */
  async receive(request: Request, context: RequestContext, maxBytes: number): Promise<BodyBuffer> {
    throwIf(checkContentType(request))
    const received = await BodyBuffer.receive(request, {
      maxBytes,
      budget: this.#budget,
      uncountedBytes: this.threshold,
      context,
    })
    if (!(received instanceof BodyBuffer)) throw new ProblemError(received)
    if (context.logsBytes) context.requestBytes = received.size
    return received
  }

  /**
   * @param runHere processes a body without a length that turns out to be small
   * @throws ProblemError when the body is refused; WorkerExited when its thread ended
   */
  async run<K extends BodyJobKind>(
    job: BodyJobs[K]['job'],
    request: Request,
    context: RequestContext,
    runHere: (bytes: Uint8Array) => BodyJobs[K]['result'],
  ): Promise<BodyJobs[K]['result']> {
    const { pool, maxBodyBytes } = this.#options
    const { signal } = context
    // A thread starts about as fast as the body arrives.
    if (contentLength(request) > this.threshold) pool.warmUp()
    using body = await this.receive(request, context, maxBodyBytes)
    const { size } = body
    if (size <= this.threshold) return runHere(concatBlocks(body.blocks, size))
    const blocks = [...body.blocks]
    try {
      return await pool.run<K>({ ...job, blocks, size }, { transfer: blocks, signal })
    } catch (error) {
      // The request was answered at its deadline: this problem is not sent.
      if (signal.aborted) throw new ProblemError(incompleteBody)
      throw error
    }
  }
}

function throwIf(problem: Problem | undefined): void {
  if (problem !== undefined) throw new ProblemError(problem)
}

export interface LargeBodyHandlerOptions<K extends BodyJobKind> {
  readonly bodies: LargeBodies
  readonly job: (c: Context<Env>) => BodyJobs[K]['job']
  /** Records the work as a span. Default: not recorded. */
  readonly tracing?: Tracing | undefined
  readonly runHere: (bytes: Uint8Array, c: Context<Env>) => BodyJobs[K]['result']
  readonly respond: (c: Context<Env>, result: BodyJobs[K]['result']) => Response | Promise<Response>
}

/** Answers requests with large bodies, or bodies of unknown size, from the thread pool: for `jsonBody`. */
export const largeBodyHandler = <K extends BodyJobKind>({
  bodies,
  job,
  tracing,
  runHere,
  respond,
}: LargeBodyHandlerOptions<K>): LargeBodyHandler => ({
  threshold: bodies.threshold,
  async handle(c) {
    const run = () => bodies.run<K>(job(c), c.req.raw, c.get('request'), (bytes) => runHere(bytes, c))
    return respond(
      c,
      await (tracing === undefined ? run() : tracing.trace('validation and analysis on a thread', {}, run)),
    )
  },
})
