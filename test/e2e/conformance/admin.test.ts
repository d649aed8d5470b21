import { describe, expect } from 'bun:test'
import { expectProblem } from './problems.ts'
import { type Ask, ask, service, settings } from './service.ts'
import { testUnless } from './test-unless.ts'

// Only read requests, because the instance may be in use.
describe('admin routes', () => {
  const { adminToken } = settings
  const operation = service.findOperation('GET', '/admin/log-level')
  const absent = operation === undefined ? 'the service has no admin routes at this address' : undefined
  const unknown = adminToken === undefined ? 'ADMIN_TOKEN is not set' : undefined
  const asOperator: Ask = { credentials: false, headers: { authorization: `Bearer ${adminToken}` } }

  testUnless(absent, 'GET /admin/log-level without the token is answered 401', async () => {
    expectProblem(await ask('GET', '/admin/log-level', { credentials: false }), 401, 'unauthorized')
  })

  testUnless(absent, 'an API key is not enough for them', async () => {
    expectProblem(await ask('GET', '/admin/log-level'), 401, 'unauthorized')
  })

  testUnless(absent ?? unknown, 'GET /admin/log-level with the token answers the log level', async () => {
    const answer = await ask('GET', '/admin/log-level', asOperator)
    expect(answer.status).toBe(200)
    expect(answer.json<{ level: string }>().level).toMatch(/^(debug|info|warn|error)$/)
  })

  testUnless(absent ?? unknown, 'GET /admin/faults with the token answers the injected faults', async () => {
    expect((await ask('GET', '/admin/faults', asOperator)).status).toBe(200)
  })
})
