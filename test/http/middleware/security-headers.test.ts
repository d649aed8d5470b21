import { expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { strictTransport } from '../../../src/http/middleware/security-headers.ts'
import { appOptions } from '../../support/app-options.ts'
import { examplePayload, post, request } from '../../support/requests.ts'

test('a page is in no frame of others, tells nobody where one came from, and loads nothing that it did not name', async () => {
  const app = createApp(appOptions())
  for (const path of ['/', '/docs', '/docs/start.js', '/docs/swagger-ui.css', '/openapi.json']) {
    const { headers } = await app.fetch(request(path))
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.has('x-powered-by')).toBe(false)
    expect(headers.has('server')).toBe(false)
  }
  expect((await app.fetch(request('/'))).headers.get('content-security-policy')).toStartWith(
    "default-src 'none'",
  )
})

test('an answer over TLS can tell browsers to stay with it', async () => {
  const gates = { application: [strictTransport], page: [strictTransport] }
  const app = createApp(appOptions({ gates }))
  for (const asked of [post('/payload', examplePayload), request('/docs')])
    expect((await app.fetch(asked)).headers.get('strict-transport-security')).toBe('max-age=31536000')
})
