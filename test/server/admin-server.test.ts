import { describe, expect, test } from 'bun:test'
import { parseConfig } from '../../src/config.ts'
import { createOperationsApp } from '../../src/http/app.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import { adminForToken, operationsOptions } from '../../src/server/admin-server.ts'
import { openRuntimeSettings } from '../../src/server/runtime-settings.ts'
import { appOptions } from '../support/app-options.ts'
import { memoryLog } from '../support/memory-log.ts'
import { expectProblem } from '../support/problems.ts'
import { request } from '../support/requests.ts'

const token = 'a token for the operator'

/** What a port for operations answers with a configuration: the application's, or the one of METRICS_PORT. */
async function portOf(env: Record<string, string>, port: 'application' | 'operations') {
  const parsed = parseConfig(env)
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  const { config } = parsed
  const live = await openRuntimeSettings(createLifecycle(), config, memoryLog().log)
  const admin = { live, injectsFaults: true, takeHeapSnapshot: async () => undefined }
  const app = createOperationsApp({
    ...appOptions(),
    ...operationsOptions(config),
    admin: port === 'operations' ? admin : adminForToken(config, admin),
  })
  return async (headers: Record<string, string> = {}): Promise<Response> =>
    await app.fetch(request('/ready/disable', { method: 'POST', headers }))
}

describe('admin routes', () => {
  test('are not on the application port without ADMIN_TOKEN, or when they have a port of their own', async () => {
    for (const env of [{}, { ADMIN_TOKEN: token, METRICS_PORT: '9091' }])
      await expectProblem(
        await (await portOf(env, 'application'))({ authorization: `Bearer ${token}` }),
        404,
        'not-found',
      )
  })

  test('want ADMIN_TOKEN where it is set, on either port', async () => {
    for (const ask of [
      await portOf({ ADMIN_TOKEN: token }, 'application'),
      await portOf({ ADMIN_TOKEN: token, METRICS_PORT: '9091' }, 'operations'),
    ]) {
      await expectProblem(await ask(), 401, 'unauthorized')
      await expectProblem(await ask({ authorization: 'Bearer another one' }), 401, 'unauthorized')
      expect((await ask({ authorization: `Bearer ${token}` })).status).toBe(200)
    }
  })

  test('are open on METRICS_PORT without it, but not to pages of other sites', async () => {
    const ask = await portOf({ METRICS_PORT: '9091' }, 'operations')
    expect((await ask()).status).toBe(200)
    expect((await ask({ origin: 'http://tally.example' })).status).toBe(200)
    for (const origin of ['http://evil.example', 'http://tally.example:8000', 'null'])
      await expectProblem(await ask({ origin }), 403, 'forbidden')
    await expectProblem(await ask({ 'sec-fetch-site': 'cross-site' }), 403, 'forbidden')
  })
})
