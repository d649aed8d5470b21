import { parseJson } from '../../analysis/parse/parse-json.ts'
import { type Refusal, toRefusal } from '../problem.ts'

/** A media type of JSON, in UTF-8 if it says. */
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

export type BodyResult =
  /** The value, and the text that it was parsed from. */
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly refusal: Refusal }

/**
 * Reads a JSON body: the media type, the size (announced or counted while it arrives), UTF-8 without
 * replacement characters, then JSON. Duplicate keys are as JSON.parse has them: the last one wins.
 *
 * A body that is too large is not kept. The rest of it is read and dropped rather than cut off: a client
 * that is still sending would see a broken connection and not the 413.
 */
export async function readJson(request: Request, bytesMax: number): Promise<BodyResult> {
  const announced = announcedBytes(request)
  const refusal = headRefusal(request, announced, bytesMax)
  if (refusal !== undefined) return { ok: false, refusal }
  const bytes = await readBytes(request, bytesMax, announced)
  if (!(bytes instanceof Uint8Array)) return { ok: false, refusal: bytes }
  const parsed = parseJson(bytes)
  return parsed.ok ? parsed : { ok: false, refusal: toRefusal(parsed.error) }
}

/** Reads the bytes of a body whose media type is JSON's; parsing them is another step. */
export async function readBody(
  request: Request,
  bytesMax: number,
  announced: number,
): Promise<Uint8Array | Refusal> {
  return headRefusal(request, announced, bytesMax) ?? (await readBytes(request, bytesMax, announced))
}

/** What is wrong with a body before it has come: its media type, or the size it announces. */
export function headRefusal(request: Request, announced: number, bytesMax: number): Refusal | undefined {
  return typeRefusal(request) ?? (announced > bytesMax ? tooLarge(bytesMax) : undefined)
}

/** What is wrong with the media type of a body that should be JSON. */
export function typeRefusal({ headers }: Request): Refusal | undefined {
  const type = headers.get('content-type')
  if (type !== 'application/json' && !(type !== null && jsonType.test(type)))
    return { code: 'not-json', detail: 'Content-Type must be application/json, in UTF-8.' }
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity')
    return { code: 'not-json', detail: 'A body with a Content-Encoding is not understood.' }
  return undefined
}

/** The size of the body that a request announces; NaN when it announces none, or two. */
export function announcedBytes({ headers }: Request): number {
  // A length said twice reads "5, 5", which is no number: such a body is counted like one of no length.
  return Number(headers.get('content-length') ?? Number.NaN)
}

export function tooLarge(bytesMax: number): Refusal {
  return { code: 'body-too-large', detail: `The body must have at most ${bytesMax} bytes.` }
}

export const notReceived: Refusal = {
  code: 'body-not-received',
  detail: 'The connection ended before the body was complete.',
}

async function readBytes(
  request: Request,
  bytesMax: number,
  announced: number,
): Promise<Uint8Array | Refusal> {
  try {
    return announced <= bytesMax ? await request.bytes() : await readChunks(request, bytesMax)
  } catch {
    return notReceived
  }
}

/** A body that announces no size is counted while it arrives. */
async function readChunks(request: Request, bytesMax: number): Promise<Uint8Array | Refusal> {
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size <= bytesMax) chunks.push(chunk)
    else chunks.length = 0
  }
  return size > bytesMax ? tooLarge(bytesMax) : Buffer.concat(chunks)
}
