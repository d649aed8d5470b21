import { describe, expect, test } from 'bun:test'
import { openDatabase } from '../../src/database/open.ts'
import { createDocumentStore } from '../../src/documents/open.ts'
import { createApp } from '../../src/http/app.ts'
import { appDeps } from '../support/app-deps.ts'
import { examplePayload } from '../support/example-payload.ts'

/** A POST with a JSON body and its length, like every body over a socket. */
function json(body: object): RequestInit {
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': String(text.length) }
  return { method: 'POST', headers, body: text }
}

describe('below a base path', () => {
  const app = createApp(appDeps({ basePath: '/a/tally' }))
  const status = async (path: string, init?: RequestInit): Promise<number> =>
    (await app.request(path, init)).status

  test('is the application, which does not exist at the root', async () => {
    expect(await status('/a/tally/payload', json(examplePayload))).toBe(200)
    expect(await status('/a/tally/v1/payload', json(examplePayload))).toBe(200)
    expect(await status('/a/tally/p%61yload', json(examplePayload))).toBe(200)
    for (const path of ['/payload', '/v1/payload', '/a/payload', '/a/tallypayload', '/v1/a/tally/payload'])
      expect({ path, status: await status(path, json(examplePayload)) }).toEqual({ path, status: 404 })
  })

  test('is the application of real requests too, with and without the fast path', async () => {
    for (const payloadFastPath of [true, false]) {
      const { fetch } = createApp(appDeps({ basePath: '/a/tally', payloadFastPath }))
      const post = async (path: string): Promise<number> =>
        (await fetch(new Request(`http://localhost${path}`, json(examplePayload)))).status
      expect(await post('/a/tally/payload')).toBe(200)
      expect(await post('/a/tally/v1/payload')).toBe(200)
      for (const path of ['/payload', '/v1/payload']) expect(await post(path)).toBe(404)
    }
  })

  test('are the pages, with or without a slash behind the base path', async () => {
    for (const path of [
      '/a/tally',
      '/a/tally/',
      '/a/tally/docs',
      '/a/tally/openapi.json',
      '/a/tally/docs/start.js',
    ])
      expect({ path, status: await status(path) }).toEqual({ path, status: 200 })
    for (const path of ['/', '/docs', '/openapi.json']) expect(await status(path)).toBe(404)
  })

  test('are probes and metrics, which exist at the root as well', async () => {
    for (const path of ['/health', '/healthz', '/livez', '/ready', '/readyz', '/metrics', '/version'])
      for (const one of [path, `/a/tally${path}`]) {
        expect({ one, status: await status(one) }).toEqual({ one, status: 200 })
        expect(app.isProbe(new Request(`http://localhost${one}`))).toBe(true)
      }
    expect(app.isProbe(new Request('http://localhost/a/tally/payload'))).toBe(false)
  })

  test('a route has the same label in metrics as without one', async () => {
    for (const path of ['/a/tally', '/a/tally/', '/a/tally/docs', '/a/tally/livez', '/a/tally/data/1'])
      await app.request(path)
    await app.request('/a/tally/v1/payload', json(examplePayload))
    const scrape = await (await app.request('/metrics')).text()
    for (const route of ['/', '/docs', '/health', '/data/:id', '/payload'])
      expect(scrape).toContain(`route="${route}"`)
    expect(scrape).not.toContain('route="/a/tally')
  })

  test('the index, the page and the OpenAPI document link below it', async () => {
    const index = (await (await app.request('/a/tally')).json()) as { docs: string; openapi: string }
    expect(await status(index.docs)).toBe(200)
    const document = (await (await app.request(index.openapi)).json()) as {
      servers: { url: string }[]
      paths: Record<string, { servers?: { url: string }[] }>
    }
    expect(document.servers.map(({ url }) => url)).toEqual(['/a/tally'])
    expect(document.paths['/payload']?.servers?.map(({ url }) => url)).toEqual(['/a/tally', '/a/tally/v1'])
    const page = await (await app.request('/a/tally/docs')).text()
    for (const [, source = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g))
      expect(await status(new URL(source, 'http://tally.example/a/tally/docs').pathname)).toBe(200)
  })

  test('Location and Link lead below it', async () => {
    const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
    const store = createDocumentStore(database)
    try {
      const { request } = createApp(appDeps({ basePath: '/a/tally', store }))
      for (const id of [1, 2]) {
        const created = await request('/a/tally/data', json({ id }))
        const location = created.headers.get('location') ?? ''
        expect(location).toBe(`/a/tally/data/${id}`)
        expect((await request(location)).status).toBe(200)
      }
      const list = await request('/a/tally/data?limit=1')
      const [, next = ''] = /^<(.*)>; rel="next"$/.exec(list.headers.get('link') ?? '') ?? []
      expect(await (await request(next)).json()).toEqual([{ id: 2 }])
    } finally {
      await store.close()
      await database.close()
    }
  })

  test('has the same middleware with and without a slash at its end', async () => {
    const { request } = createApp(appDeps({ basePath: '/a/tally', cors: { origins: '*' } }))
    for (const path of ['/a/tally', '/a/tally/']) {
      const response = await request(path)
      expect([path, response.status, response.headers.get('access-control-allow-origin')]).toEqual([
        path,
        200,
        '*',
      ])
    }
  })
})
