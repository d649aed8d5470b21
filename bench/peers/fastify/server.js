import Fastify from 'fastify'
import { analyzeNumbers, analyzeText } from '../plain-analysis.ts'

/**
 * Fastify on Node.js, with its own JSON Schema validation and serialization. With ACCESS_LOG=true it writes one pino
 * line per request instead of Fastify's two. Ajv is as strict as the other peers: Fastify's default turns "1" into 1
 * and drops unknown keys.
 */

const numbers = (...names) => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'number' }])),
})

const schema = {
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['numbers', 'text'],
    properties: {
      numbers: { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 1_000_000 },
      text: { type: 'string', minLength: 1, maxLength: 1_000_000 },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        numeric_analysis: numbers('count', 'minimum', 'maximum', 'mean', 'median', 'standard_deviation'),
        text_analysis: numbers(
          'word_count',
          'character_count',
          'character_count_no_spaces',
          'sentence_count',
          'paragraph_count',
        ),
        processing_time_ms: { type: 'number' },
      },
    },
  },
}

const accessLog = process.env.ACCESS_LOG === 'true'
const app = Fastify({
  logger: accessLog,
  disableRequestLogging: true,
  bodyLimit: 32 * 1024 * 1024,
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
})

if (accessLog)
  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        path: request.url,
        status: reply.statusCode,
        duration_ms: reply.elapsedTime,
      },
      'request',
    )
  })

app.get('/health', async () => ({ status: 'ok' }))
app.get('/ready', async () => ({ status: 'ready' }))
app.post('/payload', { schema }, async (request) => {
  const start = performance.now()
  const numeric_analysis = analyzeNumbers(request.body.numbers)
  const text_analysis = analyzeText(request.body.text)
  const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
  return { numeric_analysis, text_analysis, processing_time_ms }
})

await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
