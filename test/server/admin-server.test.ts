import { describe, expect, test } from 'bun:test'
import { parseConfig } from '../../src/config.ts'
import { createManagementApp } from '../../src/http/app.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import { adminWithToken, managementDeps } from '../../src/server/admin-server.ts'
import { openRuntimeSettings } from '../../src/server/runtime-settings.ts'
import { openManagementTokens } from '../../src/server/secrets.ts'
import { adminDeps } from '../support/admin-deps.ts'
import { appDeps } from '../support/app-deps.ts'
import { memoryLog } from '../support/memory-log.ts'
import { expectProblem } from '../support/problems.ts'

const token = 'a token for the operator'

/** Sends to a port of a configuration: the application's, or METRICS_PORT. */
async function openPort(env: Record<string, string>, port: 'application' | 'metrics') {
  const parsed = parseConfig(env)
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  const { config } = parsed
  const settings = await openRuntimeSettings(createLifecycle(), config, memoryLog().log)
  const tokens = openManagementTokens(createLifecycle(), config, memoryLog().log)
  const admin = adminDeps({ settings, token: tokens.adminToken })
  const app = createManagementApp({
    ...appDeps(),
    ...managementDeps(config, 'server', tokens),
    admin: port === 'metrics' ? admin : adminWithToken(config, admin),
  })
  return async (headers: Record<string, string> = {}): Promise<Response> =>
    await app.request('http://localhost/ready/disable', {
      method: 'POST',
      headers: { host: 'localhost', ...headers },
    })
}

describe('admin routes', () => {
  test('do not exist on the application port without ADMIN_TOKEN, or with METRICS_PORT', async () => {
    for (const env of [{}, { ADMIN_TOKEN: token, METRICS_PORT: '9091' }])
      await expectProblem(
        await (await openPort(env, 'application'))({ authorization: `Bearer ${token}` }),
        404,
        'not-found',
      )
  })

  test('require ADMIN_TOKEN where it is set, on either port', async () => {
    for (const send of [
      await openPort({ ADMIN_TOKEN: token }, 'application'),
      await openPort({ ADMIN_TOKEN: token, METRICS_PORT: '9091' }, 'metrics'),
    ]) {
      await expectProblem(await send(), 401, 'unauthorized')
      await expectProblem(await send({ authorization: 'Bearer another one' }), 401, 'unauthorized')
      expect((await send({ authorization: `Bearer ${token}` })).status).toBe(200)
    }
  })

  test('are open on METRICS_PORT without ADMIN_TOKEN, but not to pages of other sites', async () => {
    const send = await openPort({ METRICS_PORT: '9091' }, 'metrics')
    expect((await send()).status).toBe(200)
    expect((await send({ origin: 'http://localhost' })).status).toBe(200)
    for (const origin of ['http://evil.example', 'http://localhost:8000', 'null'])
      await expectProblem(await send({ origin }), 403, 'forbidden')
    await expectProblem(await send({ 'sec-fetch-site': 'cross-site' }), 403, 'forbidden')
  })
})
