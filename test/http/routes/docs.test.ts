import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Listening, listen } from '../../support/listening.ts'

let server: Listening
beforeAll(() => {
  server = listen()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

/** The URLs from which a page loads its parts. */
const parseSources = (html: string): string[] =>
  [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source)

describe('/docs', () => {
  test('is a page whose parts all come from this service, with the right types', async () => {
    const page = await fetch(`${server.url}/docs`)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const sources = parseSources(await page.text())
    expect(sources).toHaveLength(3)
    for (const source of sources) {
      const part = new URL(source, page.url)
      expect(part.origin).toBe(server.url)
      const response = await fetch(part)
      expect(response.status).toBe(200)
      const type = source.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8'
      expect(response.headers.get('content-type')).toBe(type)
      expect((await response.bytes()).length).toBeGreaterThan(20)
    }
  })

  test('names no other host, neither in the page nor in its start script', async () => {
    for (const path of ['/docs', '/docs/start.js'])
      expect(await (await fetch(server.url + path)).text()).not.toMatch(/https?:|\/\/[a-z]/i)
  })

  test('has a policy that allows only files of this service', async () => {
    const policy = (await fetch(`${server.url}/docs`)).headers.get('content-security-policy') ?? ''
    const rules = new Map(
      policy.split(';').map((rule) => {
        const [name = '', ...values] = rule.trim().split(' ')
        return [name, values] as const
      }),
    )
    expect(rules.get('default-src')).toEqual(["'self'"])
    expect(rules.get('frame-ancestors')).toEqual(["'none'"])
    expect(rules.has('script-src')).toBe(false)
    for (const values of rules.values())
      expect(values.join(' ')).not.toMatch(/\*|https?:|unsafe-eval|[a-z]\.[a-z]/)
  })

  test('has files with the strict policy of all other pages', async () => {
    for (const path of ['/docs/start.js', '/docs/swagger-ui.css', '/openapi.json'])
      expect((await fetch(server.url + path)).headers.get('content-security-policy')).toBe(
        "default-src 'none'; frame-ancestors 'none'",
      )
  })

  test('lets browsers cache its files, but not the OpenAPI document', async () => {
    expect((await fetch(`${server.url}/docs/swagger-ui.css`)).headers.get('cache-control')).toContain(
      'max-age=',
    )
    expect((await fetch(`${server.url}/openapi.json`)).headers.get('cache-control')).toBeNull()
  })
})
