import {
  analyze,
  compact,
  compactSummarySchema,
  isPayload,
  type PayloadLimits,
  payloadSchema,
  summarySchema,
} from '../analysis/payload.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { readJson } from './body.ts'
import { type Exchange, json } from './exchange.ts'
import { fieldErrors, summarize } from './field-errors.ts'
import type { Problems } from './problem.ts'
import { problemResponses } from './problem-docs.ts'
import type { Route } from './route.ts'

export interface PayloadOptions {
  readonly limits: PayloadLimits
  readonly bodyBytesMax: number
  readonly problems: Problems
  readonly metrics: Pick<Metrics, 'observePayload'>
}

const formats = ['full', 'compact'] as const

/** POST /payload: the statistics of numbers and a text. */
export function payloadRoutes({ limits, bodyBytesMax, problems, metrics }: PayloadOptions): Route[] {
  const schema = payloadSchema(limits)

  const answer = async (request: Request, exchange: Exchange): Promise<Response> => {
    const format = formatOf(request.url)
    if (format === undefined)
      return problems.answer(exchange, {
        code: 'invalid-query',
        detail: `format must be one of ${formats.join(', ')}.`,
        errors: [
          { pointer: '/format', detail: `must be one of ${formats.join(', ')}`, code: 'invalid-value' },
        ],
      })
    const body = await readJson(request, bodyBytesMax)
    if (!body.ok) return problems.answer(exchange, body.refusal)
    const payload = body.value
    if (!isPayload(payload, limits)) {
      const errors = fieldErrors(schema.safeParse(payload).error ?? { issues: [] })
      return problems.answer(exchange, { code: 'invalid-input', detail: summarize(errors), errors })
    }
    const start = performance.now()
    const analysis = analyze(payload)
    const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
    metrics.observePayload(analysis.numeric_analysis.count, analysis.text_analysis.character_count)
    return json(exchange, format === 'compact' ? compact(analysis) : { ...analysis, processing_time_ms })
  }

  return [
    {
      method: 'POST',
      path: '/payload',
      kind: 'application',
      answer,
      doc: {
        operationId: 'analyzePayload',
        summary: 'Analyse numbers and a text',
        description:
          'Statistics are exact: correctly rounded or within one unit in the last place, for every finite input.',
        tags: ['payload'],
        parameters: [
          {
            name: 'format',
            in: 'query',
            description: '`compact` answers the short form.',
            schema: { type: 'string', enum: [...formats], default: 'full' },
          },
        ],
        requestBody: { required: true, content: { 'application/json': { schema } } },
        responses: {
          '200': {
            description: 'The statistics, or their short form with `format=compact`',
            content: {
              'application/json': {
                schema: summarySchema.or(compactSummarySchema),
                examples: {
                  full: {
                    value: {
                      numeric_analysis: {
                        count: 5,
                        minimum: 1,
                        maximum: 5,
                        mean: 3,
                        median: 3,
                        standard_deviation: 1.5811388300841898,
                      },
                      text_analysis: {
                        word_count: 4,
                        character_count: 24,
                        character_count_no_spaces: 21,
                        sentence_count: 1,
                        paragraph_count: 1,
                      },
                      processing_time_ms: 0.05,
                    },
                  },
                  compact: {
                    value: {
                      numeric: { min: 1, max: 5, mean: 3, median: 3, stddev: 1.5811388300841898 },
                      text: { word_count: 4, char_count: 24 },
                    },
                  },
                },
              },
            },
          },
          ...problemResponses('malformed-json', 'body-too-large', 'not-json', 'request-timeout'),
        },
      },
    },
  ]
}

/** The format asked for; undefined when it is not one of ours. Most requests have no query at all. */
function formatOf(url: string): (typeof formats)[number] | undefined {
  const query = url.indexOf('?')
  if (query === -1) return 'full'
  const asked = new URLSearchParams(url.slice(query)).get('format') ?? 'full'
  return formats.find((format) => format === asked)
}
