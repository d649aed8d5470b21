/**
 * A pod whose shutdown loses a request for certain: after SIGTERM it exits in the middle of the next one. Otherwise it gives the
 * right responses to the small payloads of the load tests.
 */
import { rightAnswers } from './right-answer.ts'

const answers = rightAnswers(1, 'small')
let stopping = false
process.on('SIGTERM', () => {
  stopping = true
})
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    const headers = { 'x-served-by': String(process.env.INSTANCE_NAME) }
    if (request.method !== 'POST') return Response.json({ status: 'ok' }, { headers })
    if (stopping) process.exit(0)
    return Response.json(answers.get(await request.text()), { headers })
  },
})
console.log(JSON.stringify({ level: 'info', msg: 'listening', url: server.url.href }))
