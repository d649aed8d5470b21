import { describe, expect, test } from 'bun:test'
import { ask, send, service, settings, urlOf } from './service.ts'
import { documentedMethods } from './service-document.ts'

const { document } = service

describe('GET /openapi.json', () => {
  test('is an OpenAPI 3.1 document with a title and a version, in JSON', async () => {
    const { headers } = await ask('GET', '/openapi.json')
    expect(headers.get('content-type')).toStartWith('application/json')
    expect(document.openapi).toStartWith('3.1.')
    expect(document.info.title).toBe('Tally')
    expect(document.info.version).not.toBe('')
  })

  test('describes every route of the contract', () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      documentedMethods
        .filter((method) => item[method] !== undefined)
        .map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(operations).toEqual(
      expect.arrayContaining([
        'POST /payload',
        'GET /data',
        'POST /data',
        'GET /data/{id}',
        'PUT /data/{id}',
        'DELETE /data/{id}',
        'GET /tasks',
        'POST /tasks',
        'GET /tasks/{id}',
        'GET /tasks/{id}/events',
        'POST /tasks/{id}/retry',
        'GET /health',
        'GET /ready',
        'GET /version',
      ]),
    )
  })

  test('gives each operation a unique id', () => {
    const ids = Object.values(document.paths).flatMap((item) =>
      documentedMethods.flatMap((method) => item[method]?.operationId ?? []),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('names the address of the service, and /v1 below it for application routes', () => {
    const { pathname } = new URL(`${settings.baseUrl}/`)
    const [server] = document.servers
    expect(`${server?.url}/`.replace('//', '/')).toBe(pathname)
    const versioned = document.paths['/payload']?.servers?.map(({ url }) => `${url}/`)
    expect(versioned).toContain(`${pathname}v1/`)
  })

  test('has an example of a payload, which gets the documented response', async () => {
    const { paths, components } = document
    const examples = paths['/payload']?.post?.responses['200']?.content?.['application/json']?.examples
    for (const [form, path] of [
      ['full', '/payload'],
      ['compact', '/payload?format=compact'],
    ] as const) {
      const answer = await ask('POST', path, { json: components.schemas.Payload?.example })
      const body = answer.json<Record<string, unknown>>()
      const documented = { ...(examples?.[form]?.value as Record<string, unknown>) }
      if (form === 'full') documented.processing_time_ms = body.processing_time_ms
      expect({ form, body }).toEqual({ form, body: documented })
    }
  })
})

describe('GET /docs', () => {
  test('is a page that loads everything from the service', async () => {
    const { status, headers, text } = await ask('GET', '/docs')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toStartWith('text/html')
    const parts = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
    expect(parts.length).toBeGreaterThanOrEqual(1)
    for (const part of parts) {
      const url = new URL(part, urlOf('/docs'))
      expect(url.origin).toBe(new URL(settings.baseUrl).origin)
      expect({ part, status: (await send('GET', url.href)).status }).toEqual({ part, status: 200 })
    }
  })
})
