import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import type { Check } from '../../../src/http/middleware/check.ts'
import type { Problem } from '../../../src/http/problem.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { expectProblem } from '../../support/problems.ts'

const refusal: Problem = { code: 'not-found', detail: 'Refused by a check.', headers: { 'x-refused': 'yes' } }

const allow: Check = () => undefined
const refuse: Check = () => refusal
const allowLater: Check = () => Promise.resolve(undefined)
const refuseLater: Check = () => Promise.resolve(refusal)

const createService = (payloadFastPath: boolean, ...applicationChecks: Check[]) =>
  createApp(appDeps({ applicationChecks, payloadFastPath }))

const body = JSON.stringify(examplePayload)
/** With a length, so that the fast path takes it. */
const init: RequestInit = {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
  body,
}
const sendPayload = (app: ReturnType<typeof createApp>, path = '/payload') =>
  app.fetch(new Request(`http://tally.example${path}`, init))

for (const isFast of [true, false])
  describe(`checks ${isFast ? 'of the fast path' : 'as middleware'}`, () => {
    for (const [name, allowing, refusing] of [
      ['at once', allow, refuse],
      ['later', allowLater, refuseLater],
      ['at once, then later', allow, refuseLater],
      ['later, then at once', allowLater, refuse],
    ] as const) {
      test(`a request reaches its handler when every check allows it: ${name}`, async () => {
        expect((await sendPayload(createService(isFast, allowing, allow, allowing))).status).toBe(200)
      })

      test(`the first check that refuses decides, and later ones do not run: ${name}`, async () => {
        let calls = 0
        const count: Check = () => {
          calls++
          return undefined
        }
        const response = await sendPayload(createService(isFast, count, allowing, refusing, count))
        expect(response.headers.get('x-refused')).toBe('yes')
        await expectProblem(response, 404, 'not-found')
        expect(calls).toBe(1)
      })
    }

    test('headers left by checks are on the response, and on a refusal', async () => {
      const leave =
        (name: string): Check =>
        (_, context) => {
          context.addHeaders({ [name]: 'here' })
          return undefined
        }
      for (const [status, last] of [
        [200, allow],
        [404, refuse],
      ] as const) {
        const response = await sendPayload(createService(isFast, leave('x-one'), leave('x-other'), last))
        expect(response.status).toBe(status)
        expect(response.headers.get('x-one')).toBe('here')
        expect(response.headers.get('x-other')).toBe('here')
      }
    })
  })

describe('checks', () => {
  test('of the application run for its routes only, with every spelling of the path', async () => {
    const app = createService(true, refuse)
    const isRefused = async (path: string) => (await app.request(path)).headers.has('x-refused')
    for (const path of ['/health', '/ready', '/metrics', '/version', '/', '/docs', '/openapi.json'])
      expect({ path, refused: await isRefused(path) }).toEqual({ path, refused: false })
    for (const path of ['/data', '/v1/data', '/data/1', '/tasks', '/tasks/1/events', '/%64ata'])
      expect({ path, refused: await isRefused(path) }).toEqual({ path, refused: true })
    for (const path of ['/payload', '/v1/payload', '/p%61yload'])
      expect((await sendPayload(app, path)).headers.get('x-refused')).toBe('yes')
  })

  test('of the pages run for pages only', async () => {
    const app = createApp(appDeps({ pageChecks: [refuse], debugRoutes: true }))
    const isRefused = async (path: string) => (await app.request(path)).headers.has('x-refused')
    for (const path of ['/', '/docs', '/openapi.json', '/docs/swagger-ui.css'])
      expect({ path, refused: await isRefused(path) }).toEqual({ path, refused: true })
    for (const path of ['/health', '/metrics', '/data', '/debug/headers', '/nowhere'])
      expect({ path, refused: await isRefused(path) }).toEqual({ path, refused: false })
  })

  test('leave headers on responses that handlers build with Hono', async () => {
    const leave: Check = (_, context) => {
      context.addHeaders({ 'x-left': 'here' })
      return undefined
    }
    const app = createApp(appDeps({ pageChecks: [leave] }))
    expect((await app.request('/')).headers.get('x-left')).toBe('here')
  })
})
