import { codedTag } from '../headers/etag.ts'
import type { Exchange } from '../request-context.ts'

/** The codings that this can write, the better one first. Brotli is left out: it took a hundred times as long here. */
export const codings = ['zstd', 'gzip'] as const
export type Coding = (typeof codings)[number]

/** Characters from which an answer is worth the work. */
const compressFrom = 16 * 1024

/**
 * The coding that a client wants most of those that this can write (RFC 9110 §12.5.3); among equals the better one.
 *
 * @returns undefined when it asks for none, or for others
 * @example codingFor('gzip, br;q=0.9, zstd;q=0.5') // 'gzip'
 */
export function codingFor(accepted: string | null): Coding | undefined {
  if (accepted === null) return undefined
  const weights = new Map<string, number>()
  for (const element of accepted.toLowerCase().split(',')) {
    const [, name = '', weight = '1'] = /^\s*([\w.*-]+)\s*(?:;\s*q=([\d.]+)\s*)?$/.exec(element) ?? []
    weights.set(name, Number(weight))
  }
  const weightOf = (coding: Coding): number => weights.get(coding) ?? weights.get('*') ?? 0
  const [best] = codings.toSorted((one, other) => weightOf(other) - weightOf(one))
  return best !== undefined && weightOf(best) > 0 ? best : undefined
}

/**
 * The same answer in the coding that its client asked for, when it is large. It is compressed as it is sent, so that no
 * large one is held twice. Its entity tag names the coding, too: two different sequences of bytes cannot have one strong
 * tag (RFC 9110 §8.8.3.3). `etag.ts` understands both.
 */
export function compressed(request: Request, exchange: Exchange, response: Response): Response {
  const { headers, status, body } = response
  if (status === 304) return withTagOf(request, response)
  if (status !== 200 || body === null || (exchange.size ?? 0) < compressFrom) return response
  headers.append('vary', 'Accept-Encoding')
  const coding = codingFor(request.headers.get('accept-encoding'))
  if (coding === undefined) return response
  headers.set('content-encoding', coding)
  headers.delete('content-length')
  const tag = headers.get('etag')
  if (tag !== null) headers.set('etag', codedTag(tag, coding))
  const compression = new CompressionStream(coding)
  return new Response(body.pipeThrough(compression), { status, headers })
}

/** What a client has in store is the answer in its coding: a 304 must name that one (RFC 9111 §4.3.4). */
function withTagOf(request: Request, response: Response): Response {
  const tag = response.headers.get('etag')
  const known = request.headers.get('if-none-match') ?? ''
  if (tag === null || known.includes(tag)) return response
  const coded = codings.map((coding) => codedTag(tag, coding)).find((one) => known.includes(one))
  if (coded !== undefined) response.headers.set('etag', coded)
  return response
}
