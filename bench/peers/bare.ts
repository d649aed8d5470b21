import { analyzeNumbers, analyzeText } from './plain-analysis.ts'

/**
 * The minimal implementation: a Bun.serve without framework, schema, metrics or log. It checks the JSON by hand and
 * computes the same figures with plain sums.
 */

interface Payload {
  readonly numbers: readonly number[]
  readonly text: string
}

Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  development: false,
  async fetch(request) {
    let body: unknown
    try {
      body = await request.json()
    } catch {
      return new Response('not JSON', { status: 400 })
    }
    if (!isPayload(body)) return new Response('not a payload', { status: 400 })
    const start = performance.now()
    const numeric_analysis = analyzeNumbers(body.numbers)
    const text_analysis = analyzeText(body.text)
    const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
    return Response.json({ numeric_analysis, text_analysis, processing_time_ms })
  },
})

function isPayload(body: unknown): body is Payload {
  if (typeof body !== 'object' || body === null || !('numbers' in body) || !('text' in body)) return false
  for (const key in body) if (key !== 'numbers' && key !== 'text') return false
  const { numbers, text } = body
  if (!Array.isArray(numbers) || numbers.length < 1 || numbers.length > 1_000_000) return false
  for (const x of numbers) if (typeof x !== 'number' || !Number.isFinite(x)) return false
  return typeof text === 'string' && text.length >= 1 && text.length <= 1_000_000
}
