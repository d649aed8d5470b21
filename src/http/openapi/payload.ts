import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { type PayloadLimits, payloadSchema } from '../../analysis/payload.ts'
import { compactSummarySchema, summarySchema } from '../../analysis/summary-schemas.ts'
import { formats } from '../routes/payload.ts'
import { problemResponses } from './problem.ts'

/** The paths of `routes/payload.ts`. */
export const payloadPaths = (limits: PayloadLimits): ZodOpenApiPathsObject => ({
  '/payload': {
    post: {
      operationId: 'analyzePayload',
      summary: 'Analyze numbers and text',
      description:
        'Statistics are exact: correctly rounded or within one unit in the last place, for every finite input.',
      tags: ['payload'],
      parameters: [
        {
          name: 'format',
          in: 'query',
          description: '`compact` returns the short form.',
          schema: { type: 'string', enum: [...formats], default: 'full' },
        },
      ],
      requestBody: { required: true, content: { 'application/json': { schema: payloadSchema(limits) } } },
      responses: {
        '200': {
          description: 'The statistics, in their short form with `format=compact`',
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
        ...problemResponses(
          'malformed-json',
          'body-timeout',
          'body-too-large',
          'unsupported-media-type',
          'overloaded',
          'request-timeout',
        ),
      },
    },
  },
})
