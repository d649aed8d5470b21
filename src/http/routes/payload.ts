import { zValidator } from '@hono/zod-validator'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import {
  compact,
  isPayload,
  type Payload,
  type PayloadLimits,
  payloadSchema,
  type Summary,
} from '../../analysis/payload.ts'
import { analyzeParsed, createPayloadAnalyzer, type RunStep } from '../../analysis/payload-analyzer.ts'
import type { Metrics } from '../../telemetry/metrics/metrics.ts'
import type { Tracing } from '../../telemetry/tracing/tracing.ts'
import { jsonBody } from '../body/json-body.ts'
import { type LargeBodies, largeBody } from '../body/large-body.ts'
import type { Env } from '../env.ts'
import { inputProblem, ProblemError } from '../problem.ts'
import { respondJson } from '../respond.ts'
import { acceptIf, invalidBody, invalidQuery } from '../validate.ts'

export interface PayloadDeps {
  readonly limits: PayloadLimits & { readonly maxBodyBytes: number }
  readonly largeBodies: LargeBodies
  readonly metrics: Pick<Metrics, 'observePayload'>
  readonly tracing?: Tracing | undefined
}

export const formats = ['full', 'compact'] as const
const payloadQuery = z.lazy(() =>
  z.object({ format: z.enum(formats, `must be one of ${formats.join(', ')}`).default('full') }),
)

/** POST /payload: the statistics of numbers and a text. */
export function payloadRoutes({ limits, largeBodies, metrics, tracing }: PayloadDeps) {
  const span: RunStep = tracing ? (name, step) => tracing.trace(name, {}, step) : (_name, step) => step()
  const analyzeBytes = createPayloadAnalyzer(limits, tracing && span)
  const isValid = (value: unknown): value is Payload => span('validation', () => isPayload(value, limits))

  const respond = (c: Context<Env>, format: (typeof formats)[number], summary: Summary) => {
    metrics.observePayload(summary.numeric_analysis.count, summary.text_analysis.character_count)
    return respondJson(c.get('request'), format === 'compact' ? compact(summary) : summary)
  }

  return new Hono<Env>().post(
    '/payload',
    zValidator('query', payloadQuery, invalidQuery),
    largeBody<'payload'>({
      bodies: largeBodies,
      span: 'validation and analysis on a thread',
      tracing,
      job: () => ({ kind: 'payload' }),
      runHere: (bytes) => analyzeBytes(bytes),
      respond: (c, result) => {
        if (!result.ok) throw new ProblemError(inputProblem(result.error))
        return respond(c, c.req.query('format') === 'compact' ? 'compact' : 'full', result.summary)
      },
    }),
    jsonBody({ maxBytes: limits.maxBodyBytes }),
    zValidator(
      'json',
      z.lazy(() => payloadSchema(limits)),
      invalidBody,
      acceptIf(isValid),
    ),
    (c) => {
      const payload = c.req.valid('json')
      return respond(
        c,
        c.req.valid('query').format,
        span('analysis', () => analyzeParsed(payload)),
      )
    },
  )
}
