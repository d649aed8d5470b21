import { z } from 'zod'

// The schema of a summary for the OpenAPI document; not used for validation.

export const numericAnalysisSchema = z
  .strictObject({
    count: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
    minimum: z.number(),
    maximum: z.number(),
    mean: z.number().describe('Correctly rounded, or within one unit in the last place of the exact mean'),
    median: z.number().describe('The middle value; the mean of the two middle ones for an even count'),
    standard_deviation: z.number().min(0).describe('Of a sample (n - 1); 0 for one number'),
  })
  .meta({ id: 'NumericAnalysis' })

export const textAnalysisSchema = z
  .strictObject({
    word_count: countSchema('Runs of characters other than Unicode white space'),
    character_count: countSchema('Code points'),
    character_count_no_spaces: countSchema('Code points other than U+0020'),
    sentence_count: countSchema(
      'Runs with content, ended by . ! ? … 。 ！ ？ or the end of the text. A full stop ends one only before white space, closing punctuation or the end, so not in `example.com`',
    ),
    paragraph_count: countSchema('Non-blank pieces between line breaks'),
  })
  .meta({ id: 'TextAnalysis' })

export const summarySchema = z
  .strictObject({
    numeric_analysis: numericAnalysisSchema,
    text_analysis: textAnalysisSchema,
    processing_time_ms: z.number().min(0).describe('Duration of the analysis in milliseconds'),
  })
  .meta({ id: 'Summary' })

export const compactSummarySchema = z
  .strictObject({
    numeric: z.strictObject({
      min: z.number(),
      max: z.number(),
      mean: z.number(),
      median: z.number(),
      stddev: z.number().min(0),
    }),
    text: z.strictObject({
      word_count: countSchema('As in Summary'),
      char_count: countSchema('Code points'),
    }),
  })
  .meta({ id: 'CompactSummary' })

function countSchema(description: string) {
  return z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe(description)
}
