import { type Expected, makeCases, type Size } from '../../load/payloads.ts'

/** The correct response of `POST /payload` to a payload of the load tests. */
export function rightAnswer(expected: Expected) {
  return {
    numeric_analysis: {
      count: expected.count,
      minimum: expected.minimum,
      maximum: expected.maximum,
      mean: expected.mean,
      median: expected.median,
      standard_deviation: expected.standardDeviation,
    },
    text_analysis: {
      word_count: expected.wordCount,
      character_count: expected.characterCount,
      character_count_no_spaces: expected.characterCountNoSpaces,
      sentence_count: expected.sentenceCount,
      paragraph_count: expected.paragraphCount,
    },
    processing_time_ms: 0.05,
  }
}

/** The correct responses to all payloads of one size, by request body. */
export function rightAnswers(seed: number, size: Size): Map<string, ReturnType<typeof rightAnswer>> {
  return new Map(makeCases(seed, size).map(({ body, expected }) => [body, rightAnswer(expected)]))
}
