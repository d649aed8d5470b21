import type { TraceIds } from '../tracing/tracing.ts'
import type { OwnHeaders } from './own-headers.ts'

/** A request in a trace. */
export interface RequestTrace {
  /** For its line in the log. */
  readonly ids: TraceIds
  /** Ends it with the status of the answer, whoever made that. */
  answered(status: number): void
}

/** The route label of everything that no route matches: one value, whatever was asked for. */
export const unmatched = 'unmatched'

/** One request on its way through the service. It travels as Hono's bindings (`c.env`). */
export class Exchange {
  /** `performance.now()` when the request arrived. */
  readonly startedAt = performance.now()
  /** The template of the matched route; `unmatched` until one is found. */
  route = unmatched
  /** True for probes and scrapes: they are logged at debug and do not keep a drain window open. */
  background = false
  /** Set once the answer is decided; what comes later is dropped. */
  answered = false
  /** Set when an answer was made with the headers that every answer carries. */
  identified = false
  /** Who asked, as `key:name` or `sub:subject`, once a gate has found out. */
  client: string | undefined = undefined
  /** What the answer carries beside its own headers: left by gates, none as a rule. */
  headers: Readonly<Record<string, string>> | undefined = undefined
  /** What was done to the request on purpose, for its line in the log; nothing as a rule. */
  fault: string | undefined = undefined
  /** Its span, which ends with the answer; nothing where tracing is off. */
  trace: RequestTrace | undefined = undefined
  /** The length of the answer in characters, where it is known before it is sent. */
  size: number | undefined = undefined
  /** Set while a handler is at work: what its client gets, from it or when its time is over. */
  resolve: ((response: Response) => void) | undefined = undefined
  /** Set while work is done elsewhere: ends it, for nobody waits for the answer any more. */
  abandon: (() => void) | undefined = undefined
  /** Its neighbours among the requests in flight. */
  earlier: Exchange | undefined = undefined
  later: Exchange | undefined = undefined

  constructor(
    readonly method: string,
    readonly requestId: string,
    readonly ownHeaders: OwnHeaders,
  ) {}
}

/** Answers JSON. */
export function json(
  exchange: Exchange,
  body: unknown,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): Response {
  return text(exchange, JSON.stringify(body), 'application/json', status, headers)
}

/** Answers 200 with JSON that is text already and small. */
export function smallJsonText(exchange: Exchange, body: string): Response {
  if (exchange.headers !== undefined) return text(exchange, body, 'application/json')
  exchange.identified = true
  exchange.size = body.length
  return new Response(body, exchange.ownHeaders.json(exchange.requestId))
}

/** The headers of an answer: those that every answer carries, those that gates have left, and its own. */
function headersOf(
  exchange: Exchange,
  contentType: string,
  headers?: Readonly<Record<string, string>>,
): Record<string, string> {
  exchange.identified = true
  return { ...exchange.ownHeaders.with(contentType, exchange.requestId), ...exchange.headers, ...headers }
}

/** Above this an answer is streamed: a large Response is otherwise copied whole for every slow reader. */
const streamFrom = 256 * 1024

/** Answers JSON that is text already, in parts; a large one is handed out as the client reads. */
export function jsonText(
  exchange: Exchange,
  parts: readonly string[],
  status = 200,
  headers?: Readonly<Record<string, string>>,
): Response {
  const length = parts.reduce((total, part) => total + part.length, 0)
  exchange.size = length
  if (length <= streamFrom) return text(exchange, parts.join(''), 'application/json', status, headers)
  const encoder = new TextEncoder()
  const left = parts.values()
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { value, done } = left.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
  })
  return new Response(body, { status, headers: headersOf(exchange, 'application/json', headers) })
}

/** Answers a text of any media type. */
export function text(
  exchange: Exchange,
  body: string,
  contentType: string,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): Response {
  exchange.size = body.length
  return new Response(body, { status, headers: headersOf(exchange, contentType, headers) })
}

/**
 * Gives an answer that somebody else made the headers that every answer carries. Our own have them: not
 * even looking for them saves 0.3 µs.
 */
export function identify(exchange: Exchange, response: Response): Response {
  if (exchange.identified) return response
  const { headers } = response
  for (const [name, value] of Object.entries(exchange.ownHeaders.identity(exchange.requestId)))
    headers.set(name, value)
  if (exchange.headers !== undefined)
    for (const [name, value] of Object.entries(exchange.headers))
      if (!headers.has(name)) headers.set(name, value)
  return response
}
