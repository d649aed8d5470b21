import type { Context } from 'hono'
import { ResponsesBusy } from './body/byte-budget.ts'
import type { Env } from './env.ts'
import type { RequestContext } from './request-context.ts'

/** Above this many characters a response is large: it is sent in parts, and counts as held until its client has read it. */
export const largeResponseThreshold = 256 * 1024

/** Characters of one part. The runtime copies bytes that it cannot send yet, so a slow reader holds one part there. */
const partLength = 64 * 1024

/**
 * Reserves the memory of a large response before it is created. A handler that changes something calls this first,
 * because its response cannot be refused afterwards.
 *
 * @param bytes at most held at a time; a small response reserves nothing
 * @throws ResponsesBusy when other responses hold the memory
 */
export function holdResponse(context: RequestContext, bytes: number): void {
  if (bytes <= largeResponseThreshold || context.method === 'HEAD' || context.signal.aborted) return
  const { responseBudget } = context
  // A single response always fits.
  const held = Math.min(bytes, responseBudget.maxBytes)
  if (!responseBudget.take(held)) throw new ResponsesBusy()
  context.heldResponseBytes = held
}

export interface LargeBody {
  /** Bytes that it holds at a time. */
  readonly heldBytes: number
  /** The text in parts of any size. */
  readonly texts: Iterator<string> | AsyncIterator<string>
  /** Called when `texts` throws; the response then ends incomplete. Default: the error is ignored. */
  readonly onError?: (error: unknown) => void
}

/**
 * Makes the body of a large response, which is read from `texts` as fast as its client reads.
 *
 * @returns null for HEAD, and when the client no longer waits for the response
 * @throws ResponsesBusy for a GET without room. Other methods have already changed something, so they are answered.
 */
export function createLargeBody(c: Context<Env>, body: LargeBody): ReadableStream<Uint8Array> | null {
  const context = c.get('request')
  const { method, signal, responseBudget } = context
  if (method === 'HEAD' || signal.aborted) return null
  if (context.heldResponseBytes === 0) {
    if (method === 'GET') holdResponse(context, body.heldBytes)
    else context.heldResponseBytes = responseBudget.takeAnyway(body.heldBytes)
  }
  const release = takeOverHeldBytes(context)
  // Also when the client disconnects before the first part is read.
  c.req.raw.signal.addEventListener('abort', release, { once: true })
  return streamTexts(body, release)
}

/**
 * Takes the memory of a response from its request, whose end no longer releases it: the stream does.
 *
 * @returns releases the memory; a second call does nothing
 */
export function takeOverHeldBytes(context: RequestContext): () => void {
  let held = context.heldResponseBytes
  context.heldResponseBytes = 0
  return () => {
    context.responseBudget.release(held)
    held = 0
  }
}

/** @param release called when the memory is free: at the end, after an error, or when the client has disconnected */
function streamTexts({ texts, onError }: LargeBody, release: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let pending = ''
  /** A large text behind `pending`: joining them would copy it. */
  let large = ''
  let hasMore = true
  let isCancelled = false
  const takePart = async (): Promise<string> => {
    while (hasMore && large === '' && pending.length < partLength) {
      const { value, done } = await texts.next()
      if (done) hasMore = false
      else if (value.length < partLength) pending += value
      else large = value
    }
    if (pending === '') {
      pending = large
      large = ''
    }
    const end = partEnd(pending)
    const part = pending.slice(0, end)
    pending = pending.slice(end)
    return part
  }
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const part = await takePart()
          // The client has disconnected while the part was read.
          if (isCancelled) return
          if (part !== '') controller.enqueue(encoder.encode(part))
          if (hasMore || pending !== '' || large !== '') return
          release()
          controller.close()
        } catch (error) {
          release()
          onError?.(error)
          controller.error(error)
        }
      },
      async cancel() {
        isCancelled = true
        release()
        pending = ''
        large = ''
        hasMore = false
        await texts.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** The parts of a text, each small enough to be copied. */
export function* splitText(text: string): Generator<string> {
  let rest = text
  while (rest !== '') {
    const end = partEnd(rest)
    yield rest.slice(0, end)
    rest = rest.slice(end)
  }
}

/** Where the next part ends: not between the two halves of a character. */
function partEnd(text: string): number {
  const last = text.charCodeAt(partLength - 1)
  const isHalf = last >= 0xd800 && last <= 0xdbff
  return text.length > partLength && isHalf ? partLength - 1 : partLength
}
