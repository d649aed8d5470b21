import { prometheus } from '@hono/prometheus'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { requestId } from 'hono/request-id'
import { z } from 'zod'
import { analyzeNumbers, analyzeText } from '../plain-analysis.ts'

/**
 * Stock Hono: the packages that Tally uses, combined as their documentation shows. With ACCESS_LOG=true it prints one
 * JSON line per request through console.log, like Hono's own logger, which prints two text lines.
 */

const payload = z.strictObject({
  numbers: z.array(z.number()).min(1).max(1_000_000),
  text: z.string().min(1).max(1_000_000),
})

const accessLog = createMiddleware<{ Variables: { requestId: string } }>(async (c, next) => {
  const start = performance.now()
  await next()
  console.log(
    JSON.stringify({
      time: new Date().toISOString(),
      level: 'info',
      msg: 'request',
      request_id: c.get('requestId'),
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      duration_ms: performance.now() - start,
    }),
  )
})

const app = new Hono()
const { printMetrics, registerMetrics } = prometheus()
app.use(requestId())
if (process.env.ACCESS_LOG === 'true') app.use(accessLog)
app.use('*', registerMetrics)
app.get('/metrics', printMetrics)
app.get('/health', (c) => c.json({ status: 'ok' }))
app.get('/ready', (c) => c.json({ status: 'ready' }))
app.post('/payload', zValidator('json', payload), (c) => {
  const { numbers, text } = c.req.valid('json')
  const start = performance.now()
  const numeric_analysis = analyzeNumbers(numbers)
  const text_analysis = analyzeText(text)
  const processing_time_ms = Math.round((performance.now() - start) * 100) / 100
  return c.json({ numeric_analysis, text_analysis, processing_time_ms })
})

export default { port: Number(process.env.PORT), hostname: '127.0.0.1', fetch: app.fetch }
