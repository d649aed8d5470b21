import { type PayloadOutcome, payloadOutcomeOf, payloadSteps } from '../../analysis/parse/payload-outcome.ts'
import { compact, type PayloadLimits } from '../../analysis/payload.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import type { Tracing } from '../../telemetry/tracing/tracing.ts'
import { announcedBytes, headRefusal, notReceived } from '../body/json-body.ts'
import type { BodyWork, LargeBodies } from '../body/large-body.ts'
import type { Problems } from '../problem.ts'
import { type Exchange, smallJson } from '../request-context.ts'
import type { Route } from '../route.ts'

export interface PayloadOptions {
  readonly limits: PayloadLimits
  readonly bodyBytesMax: number
  /** Who answers for bodies that would hold up the event loop. */
  readonly large: Pick<LargeBodies, 'bytesFrom' | 'run'>
  readonly problems: Problems
  readonly metrics: Pick<Metrics, 'observePayload'>
  readonly tracing?: Tracing | undefined
}

export const formats = ['full', 'compact'] as const
type Format = (typeof formats)[number]

/** POST /payload: the statistics of numbers and a text. */
export function payloadRoutes(options: PayloadOptions): Route[] {
  const { limits, bodyBytesMax, problems, metrics, tracing } = options
  const large = tracing === undefined ? options.large : tracedThreads(options.large, tracing)
  const outcomeOf = payloadOutcomeOf(limits, payloadSteps(limits, tracing))

  const told = (exchange: Exchange, format: Format, outcome: PayloadOutcome): Response => {
    if (!outcome.ok) return problems.answer(exchange, outcome.refusal)
    const { summary } = outcome
    metrics.observePayload(summary.numeric_analysis.count, summary.text_analysis.character_count)
    return smallJson(exchange, format === 'compact' ? compact(summary) : summary)
  }

  const answer = (request: Request, exchange: Exchange): Response | Promise<Response> => {
    const format = formatOf(request.url)
    if (format === undefined)
      return problems.answer(exchange, {
        code: 'invalid-query',
        detail: `format must be one of ${formats.join(', ')}.`,
        errors: [
          { pointer: '/format', detail: `must be one of ${formats.join(', ')}`, code: 'invalid-value' },
        ],
      })
    const bytes = announcedBytes(request)
    // Not `bytes > …`: a body that announces no size is a large one until it has been counted.
    if (!(bytes <= large.bytesFrom))
      return exchange.answerTo(
        large.run<'payload'>({ kind: 'payload' }, request, exchange, outcomeOf),
        (outcome) => told(exchange, format, outcome),
      )
    const refusal = headRefusal(request, bytes, bodyBytesMax)
    if (refusal !== undefined) return problems.answer(exchange, refusal)
    return exchange.answerTo(
      request.bytes(),
      (body) => told(exchange, format, outcomeOf(body)),
      () => problems.answer(exchange, notReceived),
    )
  }

  return [
    {
      method: 'POST',
      path: '/payload',
      kind: 'application',
      answer,
      doc: async () => (await import('../openapi/payload.ts')).payloadDoc(limits),
    },
  ]
}

/** The same, as a span. */
function tracedThreads(large: PayloadOptions['large'], tracing: Tracing): PayloadOptions['large'] {
  return {
    bytesFrom: large.bytesFrom,
    run: <K extends keyof BodyWork>(...work: Parameters<typeof large.run<K>>) =>
      tracing.trace('validation and analysis on a thread', {}, () => large.run<K>(...work)),
  }
}

/** The format asked for; undefined when it is not one of ours. Most requests have no query at all. */
function formatOf(url: string): Format | undefined {
  const query = url.indexOf('?')
  if (query === -1) return 'full'
  const asked = new URLSearchParams(url.slice(query)).get('format') ?? 'full'
  return formats.find((format) => format === asked)
}
