import { expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { appOptions } from '../../support/app-options.ts'
import { expectProblem } from '../../support/problems.ts'
import { request } from '../../support/requests.ts'

const app = createApp(appOptions({ debugRoutes: true }))
const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  await app.fetch(request(path, { headers }))

test('without DEBUG_ROUTES there are none of them', async () => {
  const service = createApp(appOptions())
  for (const path of [
    '/debug/delay/0',
    '/debug/status/200',
    '/debug/stream/0',
    '/debug/crash',
    '/debug/headers',
    '/debug/bytes/1',
  ])
    await expectProblem(await service.fetch(request(path)), 404, 'not-found')
})

test('/debug/delay answers after its time', async () => {
  const start = performance.now()
  expect((await (await get('/debug/delay/0.05')).json()) as object).toEqual({ delayed: 0.05, method: 'GET' })
  expect(performance.now() - start).toBeGreaterThanOrEqual(49)
})

test('/debug/status answers with the status asked for', async () => {
  for (const status of [200, 418, 503, 599])
    expect((await get(`/debug/status/${status}`)).status).toBe(status)
})

test('/debug/bytes answers so many bytes', async () => {
  for (const count of [0, 1, 65_536, 65_537, 200_000])
    expect((await (await get(`/debug/bytes/${count}`)).bytes()).length).toBe(count)
})

test('/debug/stream answers line by line', async () => {
  expect(await (await get('/debug/stream/0.2')).text()).toBe('tick 0\ntick 1\n')
})

test('/debug/headers hides what is secret', async () => {
  const headers = {
    authorization: 'Bearer secret',
    cookie: 'a=secret',
    'x-api-key': 'secret',
    'x-shown': 'shown',
  }
  const answer = await (await get('/debug/headers', headers)).text()
  expect(answer).not.toContain('secret')
  expect(answer).toContain('"x-shown":"shown"')
})

test('a parameter that is out of range, no number, or broken where it must be whole is refused', async () => {
  for (const path of [
    '/debug/delay/601',
    '/debug/delay/-1',
    '/debug/delay/x',
    '/debug/delay/1e1',
    '/debug/status/199',
    '/debug/status/600',
    '/debug/status/200.5',
    '/debug/status/%zz',
    '/debug/stream/601',
    '/debug/bytes/1.5',
    '/debug/bytes/1073741825',
  ])
    await expectProblem(await get(path), 404, 'not-found')
})
