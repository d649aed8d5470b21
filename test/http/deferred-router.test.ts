import { describe, expect, test } from 'bun:test'
import type { AppDeps } from '../../src/http/app.ts'
import { type App, createApp } from '../../src/http/app.ts'
import { adminDeps } from '../support/admin-deps.ts'
import { appDeps } from '../support/app-deps.ts'

const configurations: [name: string, changes: Partial<AppDeps>][] = [
  ['the default configuration', {}],
  ['debug and admin routes', { debugRoutes: true, admin: adminDeps({ token: 'a token of an operator' }) }],
  ['tokens, a base path and CORS', { basePath: '/a/b', metricsToken: 'a scraper', cors: { origins: '*' } }],
]

/** Status and problem code of each method on each route, and on paths that no route has. */
async function probe(app: App): Promise<string[]> {
  const paths = new Set(app.routes.map((route) => route.replace(/^\w+ /, '').replaceAll(/:\w+|\*/g, '0')))
  paths.delete('/debug/crash')
  paths.delete('/debug/stream/0')
  const asked = [...paths, '/nowhere', '/data/', '/data/a/b', '//payload', '/v1', '/v1/docs', '/p%61yload']
  const results: string[] = []
  for (const path of asked)
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const response = await app.request(`http://tally.example${path}`, { method })
      const { code } = (await response.json().catch(() => ({}))) as { code?: string }
      results.push(
        `${method} ${path} ${response.status} ${code ?? ''} ${response.headers.get('allow') ?? ''}`,
      )
    }
  return results
}

describe('compiled routes answer like the others', () => {
  for (const [name, changes] of configurations)
    test(`with ${name}`, async () => {
      const app = createApp(appDeps(changes))
      const before = await probe(app)
      app.compileRoutes()
      expect(await probe(app)).toEqual(before)
      expect(before.filter((line) => line.includes(' 404 '))).not.toEqual([])
      expect(before.filter((line) => line.includes(' 200 '))).not.toEqual([])
      app.requests.close()
    })
})
