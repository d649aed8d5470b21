/** The floor: a Bun.serve that parses the body and always returns the same bytes. */

const summary = {
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
}

Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  development: false,
  async fetch(request) {
    await request.json()
    return Response.json(summary)
  },
})
