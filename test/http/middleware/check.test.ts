import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { addHeaders, type Gate } from '../../../src/http/middleware/check.ts'
import type { Refusal } from '../../../src/http/problem.ts'
import { appOptions } from '../../support/app-options.ts'
import { expectProblem } from '../../support/problems.ts'
import { examplePayload, post, request } from '../../support/requests.ts'

const refusal: Refusal = { code: 'not-found', detail: 'Refused by a gate.', headers: { 'x-refused': 'yes' } }

/** Gates that lets pass, refuse, and do either only after a while. */
const gates: Record<'open' | 'closed' | 'slowlyOpen' | 'slowlyClosed', Gate> = {
  open: () => undefined,
  closed: () => refusal,
  slowlyOpen: () => Promise.resolve(undefined),
  slowlyClosed: () => Promise.resolve(refusal),
}

function serviceBehind(...application: Gate[]) {
  const app = createApp(appOptions({ gates: { application } }))
  return { app, analyze: async (): Promise<Response> => await app.fetch(post('/payload', examplePayload)) }
}

describe('a request', () => {
  for (const [opened, closed] of [
    [gates.open, gates.closed],
    [gates.slowlyOpen, gates.slowlyClosed],
    [gates.open, gates.slowlyClosed],
    [gates.slowlyOpen, gates.closed],
  ] as const) {
    test('comes to its handler when every gate lets it pass', async () => {
      const { analyze } = serviceBehind(opened, gates.open, opened)
      expect((await analyze()).status).toBe(200)
    })

    test('is refused by the first gate that refuses, and those behind it are not asked', async () => {
      let asked = 0
      const behind: Gate = () => {
        asked++
        return undefined
      }
      const { analyze } = serviceBehind(opened, closed, behind)
      const response = await analyze()
      expect(response.headers.get('x-refused')).toBe('yes')
      await expectProblem(response, 404, 'not-found')
      expect(asked).toBe(0)
    })
  }

  test('meets only the gates of its kind of route, whichever way it is found', async () => {
    const { app } = serviceBehind(gates.closed)
    const get = async (path: string) => (await app.fetch(request(path))).headers.get('x-refused')
    expect(await get('/health')).toBeNull()
    expect(await get('/docs')).toBeNull()
    expect(await get('/data')).toBe('yes')
    expect(await get('/v1/data')).toBe('yes')
    for (const path of ['/payload', '/v1/payload', '/p%61yload'])
      expect((await app.fetch(post(path, examplePayload))).headers.get('x-refused')).toBe('yes')
  })

  test('gets the headers that gates have left, with its answer and with a refusal', async () => {
    const counting: Gate = (_, exchange) => {
      addHeaders(exchange, { 'x-left': 'here' })
      return undefined
    }
    const also: Gate = (_, exchange) => {
      addHeaders(exchange, { 'x-also': 'there' })
      return undefined
    }
    for (const [status, last] of [
      [200, gates.open],
      [404, gates.closed],
    ] as const) {
      const response = await serviceBehind(counting, also, last).analyze()
      expect(response.status).toBe(status)
      expect(response.headers.get('x-left')).toBe('here')
      expect(response.headers.get('x-also')).toBe('there')
    }
  })

  test('gets them with an answer that Hono has made, too', async () => {
    const left: Gate = (_, exchange) => {
      addHeaders(exchange, { 'x-left': 'here' })
      return undefined
    }
    const app = createApp(appOptions({ gates: { operations: [left] } }))
    expect((await app.fetch(request('/health'))).headers.get('x-left')).toBe('here')
  })
})
