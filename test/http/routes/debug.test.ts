import { expect, test } from 'bun:test'
import { createApp } from '../../../src/http/app.ts'
import { hashKey } from '../../../src/http/middleware/api-keys.ts'
import { auth } from '../../../src/http/middleware/auth.ts'
import { appDeps } from '../../support/app-deps.ts'
import { expectProblem } from '../../support/problems.ts'

const app = createApp(appDeps({ debugRoutes: true }))

test('the debug routes do not exist without DEBUG_ROUTES', async () => {
  const service = createApp(appDeps())
  for (const path of [
    '/debug/delay/0',
    '/debug/status/200',
    '/debug/stream/0',
    '/debug/crash',
    '/debug/headers',
    '/debug/bytes/1',
  ])
    await expectProblem(await service.request(path), 404, 'not-found')
})

test('the debug routes are behind the checks of the application routes', async () => {
  const keys = [{ name: 'known', hash: hashKey('tally_known') }]
  const guarded = createApp(appDeps({ debugRoutes: true, applicationChecks: [auth({ keys: () => keys })] }))
  for (const path of ['/debug/delay/0', '/debug/crash', '/debug/headers'])
    await expectProblem(await guarded.request(path), 401, 'unauthorized')
  const headers = { 'x-api-key': 'tally_known' }
  expect((await guarded.request('/debug/delay/0', { headers })).status).toBe(200)
})

test('/debug/delay responds after the delay', async () => {
  const start = performance.now()
  const response = await app.request('/debug/delay/0.05')
  expect(await response.json()).toEqual({ delayed: 0.05, method: 'GET' })
  expect(performance.now() - start).toBeGreaterThanOrEqual(49)
})

test('/debug/status responds with the requested status', async () => {
  for (const status of [200, 418, 503, 599]) {
    const response = await app.request(`/debug/status/${status}`)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({ status })
  }
})

test('/debug/bytes responds with the requested number of bytes', async () => {
  for (const count of [0, 1, 65_536, 65_537, 200_000])
    expect((await (await app.request(`/debug/bytes/${count}`)).bytes()).length).toBe(count)
})

test('/debug/stream responds line by line', async () => {
  expect(await (await app.request('/debug/stream/0.2')).text()).toBe('tick 0\ntick 1\n')
})

test('/debug/headers hides secrets', async () => {
  const headers = {
    authorization: 'Bearer secret',
    cookie: 'a=secret',
    'proxy-authorization': 'Basic secret',
    'x-api-key': 'secret',
    'x-shown': 'shown',
  }
  const text = await (await app.request('/debug/headers', { headers })).text()
  expect(text).not.toContain('secret')
  expect(text).toContain('"x-shown":"shown"')
})

test('a parameter that is out of range or not a number is refused', async () => {
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
    await expectProblem(await app.request(path), 404, 'not-found')
})
