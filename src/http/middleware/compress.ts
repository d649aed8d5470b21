import type { Transform } from 'node:stream'
import { createMiddleware } from 'hono/factory'
import type { Env } from '../env.ts'
import { withCoding } from '../headers/etag.ts'

/** Content codings of responses that are compressed while they are sent, best first. Brotli is too slow for that. */
const codings = ['zstd', 'gzip'] as const

/** Shorter responses, in characters, are not worth the work. */
const compressionThreshold = 16 * 1024

/**
 * Chooses the supported coding that a client prefers (RFC 9110 §12.5.3), the better one of equals.
 *
 * @param supported best first. Default: zstd and gzip
 * @returns undefined when the client accepts no supported coding
 * @example chooseCoding('gzip, br;q=0.9, zstd;q=0.5') // 'gzip'
 */
export function chooseCoding<Coding extends string = (typeof codings)[number]>(
  accepted: string | undefined,
  supported: readonly Coding[] = codings as readonly string[] as readonly Coding[],
): Coding | undefined {
  if (accepted === undefined) return undefined
  const qualities = new Map<string, number>()
  for (const element of accepted.toLowerCase().split(',')) {
    const [, name = '', quality = '1'] = /^\s*([\w.*-]+)\s*(?:;\s*q=([\d.]+)\s*)?$/.exec(element) ?? []
    qualities.set(name, Number(quality))
  }
  const weight = (coding: Coding): number => qualities.get(coding) ?? qualities.get('*') ?? 0
  const [best] = supported.toSorted((one, other) => weight(other) - weight(one))
  return best !== undefined && weight(best) > 0 ? best : undefined
}

/**
 * Compresses large responses to GET while they are sent, so that no large one is held twice.
 *
 * Not `hono/compress`: it has no zstd, keeps one strong entity tag for two byte sequences (RFC 9110 §8.8.3.3 forbids that;
 * `etag.ts` understands a tag with a coding), and measures streams by a header that they do not have.
 */
export const compress = () =>
  createMiddleware<Env>(async function compress(c, next) {
    await next()
    if (c.req.method !== 'GET') return
    const { status, headers, body } = c.res
    if (status !== 200 && status !== 304) return
    const isLarge = (c.get('request').responseSize ?? 0) >= compressionThreshold
    if (isLarge) headers.append('vary', 'Accept-Encoding')
    if (status === 304) return useStoredTag(c.req.raw, headers)
    if (!isLarge || body === null) return
    const coding = chooseCoding(c.req.header('accept-encoding'))
    if (coding === undefined) return
    headers.set('content-encoding', coding)
    headers.delete('content-length')
    const tag = headers.get('etag')
    if (tag !== null) headers.set('etag', withCoding(tag, coding))
    const compressed = new Response(compressAsRead(body, coding), { status, headers })
    // Hono would merge the headers of the response before this one into it.
    c.res = undefined
    c.res = compressed
  })

/**
 * Compresses a stream as fast as the result is read.
 *
 * Not `CompressionStream`: Bun's consumes all of its input without backpressure, and so holds the whole response of a
 * client that does not read.
 */
function compressAsRead(
  body: ReadableStream<Uint8Array>,
  coding: (typeof codings)[number],
): ReadableStream<Uint8Array> {
  const source = body.getReader()
  let compressor: Transform | undefined
  let hasEnded = false
  let output: Promise<void> | undefined
  /** Shared by all concurrent waiters, because each wait adds listeners to the compressor. */
  const untilOutput = (of: Transform): Promise<void> => {
    output ??= nextOutput(of).finally(() => {
      output = undefined
    })
    // After a lost race its rejection has no other handler.
    output.catch(() => {})
    return output
  }
  const open = async (): Promise<Transform> => {
    // Loaded with the first response that needs it: it would lengthen every start.
    const { createGzip, createZstdCompress } = await import('node:zlib')
    return (coding === 'gzip' ? createGzip() : createZstdCompress()).on('end', () => {
      hasEnded = true
    })
  }
  /** Writes one more part, or the end, and waits until it is compressed or output is available. */
  const feed = async (to: Transform): Promise<void> => {
    const { value, done } = await source.read()
    const progress = untilOutput(to)
    if (done) to.end()
    await (value === undefined ? progress : Promise.race([progress, write(to, value)]))
  }
  return new ReadableStream(
    {
      async pull(controller) {
        compressor ??= await open()
        for (;;) {
          const compressed: Buffer | null = compressor.read()
          if (compressed !== null) return controller.enqueue(compressed)
          if (hasEnded) return controller.close()
          if (compressor.writableEnded) await untilOutput(compressor)
          else await feed(compressor)
        }
      },
      async cancel(reason) {
        compressor?.destroy()
        await source.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

/** Resolves when there is more to read, or when there will be nothing more. */
function nextOutput(stream: Transform): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const settle = (error?: Error): void => {
    stream.off('readable', settle).off('end', settle).off('error', settle)
    if (error instanceof Error) reject(error)
    else resolve()
  }
  stream.on('readable', settle).on('end', settle).on('error', settle)
  return promise
}

const write = (stream: Transform, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()))
  })

/** A client that stored a compressed response knows it by the tag with the coding; a 304 must name that (RFC 9111 §4.3.4). */
function useStoredTag(request: Request, headers: Headers): void {
  const tag = headers.get('etag')
  const known = request.headers.get('if-none-match') ?? ''
  if (tag === null || known.includes(tag)) return
  const stored = codings.map((coding) => withCoding(tag, coding)).find((coded) => known.includes(coded))
  if (stored !== undefined) headers.set('etag', stored)
}
