import { expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { strictTransport } from '../../../src/http/middleware/security-headers.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'

test('pages cannot be framed, send no referrer, and load only listed resources', async () => {
  const app = createApp(appDeps())
  for (const path of ['/', '/docs', '/docs/start.js', '/docs/swagger-ui.css', '/openapi.json']) {
    const { headers } = await app.request(path)
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.has('x-powered-by')).toBe(false)
    expect(headers.has('server')).toBe(false)
  }
  expect((await app.request('/')).headers.get('content-security-policy')).toStartWith("default-src 'none'")
})

test('responses over TLS can require TLS from browsers', async () => {
  const app = createApp(appDeps({ applicationChecks: [strictTransport], pageChecks: [strictTransport] }))
  const body = JSON.stringify(examplePayload)
  const headers = { 'content-type': 'application/json' }
  for (const response of [
    await app.request('/payload', { method: 'POST', headers, body }),
    await app.request('/docs'),
    await app.request('/data'),
  ])
    expect(response.headers.get('strict-transport-security')).toBe('max-age=31536000')
})
