import { expect, setDefaultTimeout, test } from 'bun:test'
import { startService } from '../../support/service.ts'

setDefaultTimeout(60_000)

test('over sockets HEAD, GET, pages and preflights of a client count by its address', async () => {
  await using service = await startService({
    env: { RATE_LIMIT: '3/1h', CORS_ORIGIN: 'https://app.example' },
  })
  const status = async (method: string, path: string) => (await fetch(service.url + path, { method })).status
  expect(await status('HEAD', '/data')).toBe(200)
  expect(await status('GET', '/data')).toBe(200)
  expect(await status('HEAD', '/data/none')).toBe(404)
  for (const method of ['HEAD', 'GET']) expect(await status(method, '/data')).toBe(429)
  for (const path of ['/', '/docs', '/openapi.json']) expect(await status('HEAD', path)).toBe(200)
  for (const [method, path] of [
    ['GET', '/'],
    ['HEAD', '/docs'],
    ['OPTIONS', '/data'],
  ] as const)
    expect(await status(method, path)).toBe(429)
  expect(await status('GET', '/health')).toBe(200)
})
