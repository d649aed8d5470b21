import { describe, expect, test } from 'bun:test'
import { openDatabase } from '../../src/database/open.ts'
import { createDocumentStore } from '../../src/documents/open.ts'
import { createApp } from '../../src/http/app.ts'
import { appOptions } from '../support/app-options.ts'
import { examplePayload, post, request } from '../support/requests.ts'

describe('below a base path', () => {
  const app = createApp(appOptions({ basePath: '/a/tally' }))
  const status = async (path: string, body?: unknown): Promise<number> =>
    (await app.fetch(body === undefined ? request(path) : post(path, body))).status

  test('stands the application, and no more at the root', async () => {
    expect(await status('/a/tally/payload', examplePayload)).toBe(200)
    expect(await status('/a/tally/v1/payload', examplePayload)).toBe(200)
    expect(await status('/a/tally/p%61yload', examplePayload)).toBe(200)
    for (const path of ['/payload', '/v1/payload', '/a/payload', '/a/tallypayload', '/v1/a/tally/payload'])
      expect({ path, status: await status(path, examplePayload) }).toEqual({ path, status: 404 })
  })

  test('stand the pages, with or without a slash behind the base path', async () => {
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

  test('and at the root stands what the platform asks, which is no traffic in either place', async () => {
    for (const path of ['/health', '/healthz', '/livez', '/ready', '/readyz', '/metrics', '/version'])
      for (const one of [path, `/a/tally${path}`]) {
        expect({ one, status: await status(one) }).toEqual({ one, status: 200 })
        expect(app.isBackground(request(one))).toBe(true)
      }
    expect(app.isBackground(request('/a/tally/payload'))).toBe(false)
  })

  test('a route has the same label in metrics, whatever is before it', async () => {
    await app.fetch(post('/a/tally/payload', examplePayload))
    const scrape = await (await app.fetch(request('/metrics'))).text()
    expect(scrape).toContain('route="/payload"')
    expect(scrape).not.toContain('route="/a/tally')
  })

  test('the page and the document lead back below it', async () => {
    const index = (await (await app.fetch(request('/a/tally'))).json()) as { docs: string; openapi: string }
    expect(await status(index.docs)).toBe(200)
    const document = (await (await app.fetch(request(index.openapi))).json()) as {
      servers: { url: string }[]
      paths: Record<string, { servers?: { url: string }[] }>
    }
    expect(document.servers.map(({ url }) => url)).toEqual(['/a/tally'])
    expect(document.paths['/payload']?.servers?.map(({ url }) => url)).toEqual(['/a/tally', '/a/tally/v1'])
    const page = await (await app.fetch(request('/a/tally/docs'))).text()
    for (const [, source = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g))
      expect(await status(new URL(source, 'http://tally.example/a/tally/docs').pathname)).toBe(200)
  })

  test('what is created is where Location says, and the next page where Link says', async () => {
    const database = await openDatabase({ url: 'sqlite::memory:', dataDir: '.' })
    const store = createDocumentStore(database)
    try {
      const service = createApp(appOptions({ basePath: '/a/tally', store }))
      for (const id of [1, 2]) {
        const created = await service.fetch(post('/a/tally/data', { id }))
        const location = created.headers.get('location') ?? ''
        expect(location).toBe(`/a/tally/data/${id}`)
        expect((await service.fetch(request(location))).status).toBe(200)
      }
      const list = await service.fetch(request('/a/tally/data?limit=1'))
      const [, next = ''] = /^<(.*)>; rel="next"$/.exec(list.headers.get('link') ?? '') ?? []
      expect(await (await service.fetch(request(next))).json()).toEqual([{ id: 2 }])
    } finally {
      await store.close()
      await database.close()
    }
  })
})
