import { isNestedDeeperThan } from '../../analysis/parse/json-depth.ts'
import type { Refusal } from '../problem.ts'

/** A media type of JSON, in UTF-8 if it says. */
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** Levels of arrays and objects in each other. A payload has two, a document may have many. */
const nestingMax = 1_000

const decoder = new TextDecoder('utf-8', { fatal: true })

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
  return bytes instanceof Uint8Array ? parseJson(bytes) : { ok: false, refusal: bytes }
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

function refuse(code: Refusal['code'], detail: string): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { code, detail } }
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

/**
 * Parses a body that is there: UTF-8 without replacement characters, bounded nesting, JSON.
 *
 * @param release called as soon as the bytes are needed no more
 */
export function parseJson(bytes: Uint8Array, release?: () => void): BodyResult {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    return refuse('not-utf-8', 'The body holds bytes that are not UTF-8.')
  }
  release?.()
  if (isNestedDeeperThan(nestingMax, text))
    return refuse('malformed-json', `Arrays and objects must be nested at most ${nestingMax} deep.`)
  try {
    return { ok: true, value: JSON.parse(text), text }
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : ''
    return refuse('malformed-json', text === '' ? 'The body is empty.' : reason)
  }
}
