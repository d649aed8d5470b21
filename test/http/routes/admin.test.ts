import { describe, expect, test } from 'bun:test'
import { createApp, createOperationsApp } from '../../../src/http/app.ts'
import { appOptions } from '../../support/app-options.ts'
import { liveSettings } from '../../support/live.ts'
import { expectProblem } from '../../support/problems.ts'
import { request } from '../../support/requests.ts'

/** Admin routes, and the settings that they change. */
function start({ injectsFaults = true } = {}) {
  const live = liveSettings()
  const changes: [change: object, by: string][] = []
  const app = createOperationsApp(
    appOptions({
      admin: {
        injectsFaults,
        takeHeapSnapshot: async () => undefined,
        live: {
          ...live,
          get current() {
            return live.current
          },
          async change(change, by) {
            changes.push([change, by])
            await live.change(change, by)
          },
        },
      },
    }),
  )
  const ask = async (method: string, path: string, body?: unknown): Promise<Response> =>
    await app.fetch(
      request(path, {
        method,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json', 'x-request-id': 'by-hand' },
        }),
      }),
    )
  return { live, ask, changes }
}

describe('admin routes', () => {
  test('are not there unless they are asked for', async () => {
    for (const app of [createApp(appOptions()), createOperationsApp(appOptions())])
      for (const [method, path] of [
        ['POST', '/ready/disable'],
        ['GET', '/admin/log-level'],
        ['GET', '/admin/faults'],
      ] as const)
        await expectProblem(await app.fetch(request(path, { method })), 404, 'not-found')
  })

  test('take the instance out of rotation, and put it back', async () => {
    const { live, ask } = start()
    for (const [action, enabled] of [
      ['disable', false],
      ['disable', false],
      ['enable', true],
    ] as const) {
      const response = await ask('POST', `/ready/${action}`)
      expect([response.status, await response.json()]).toEqual([200, { enabled }])
      expect(live.current.enabled).toBe(enabled)
    }
  })

  test('show the log level and change it, and say which request did', async () => {
    const { live, ask, changes } = start()
    expect(await (await ask('GET', '/admin/log-level')).json()).toEqual({ level: 'info' })
    const response = await ask('PUT', '/admin/log-level', { level: 'debug' })
    expect([response.status, await response.json()]).toEqual([200, { level: 'debug' }])
    expect(live.current.logLevel).toBe('debug')
    expect(changes).toEqual([[{ logLevel: 'debug' }, 'request by-hand']])
  })

  test('set faults as a whole: what is left out is off', async () => {
    const { live, ask } = start()
    await ask('PUT', '/admin/faults', { error_rate: 0.5, delay_ms: 100 })
    const all = { error_rate: 0, error_status: 500, delay_rate: 1, delay_ms: 0, delay_jitter_ms: 0 }
    const response = await ask('PUT', '/admin/faults', { error_status: 500 })
    expect([response.status, await response.json()]).toEqual([200, all])
    expect(await (await ask('GET', '/admin/faults')).json()).toEqual(all)
    expect(await (await ask('DELETE', '/admin/faults')).json()).toEqual({ ...all, error_status: 503 })
    expect(live.current.faults.error_status).toBe(503)
  })

  test('refuse what is no setting, say where, and change nothing', async () => {
    const { ask, changes } = start()
    for (const [path, body, pointer] of [
      ['/admin/log-level', { level: 'verbose' }, '/level'],
      ['/admin/log-level', {}, '/level'],
      ['/admin/faults', { error_rate: 1.5 }, '/error_rate'],
      ['/admin/faults', { error_status: 200 }, '/error_status'],
      ['/admin/faults', { delay_ms: -1 }, '/delay_ms'],
      ['/admin/faults', { delay_ms: 1e9 }, '/delay_ms'],
      ['/admin/faults', { delay: 5 }, '/delay'],
    ] as const) {
      const problem = await expectProblem(await ask('PUT', path, body), 400, 'invalid-input')
      expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer])
    }
    expect(changes).toEqual([])
  })

  test('have no faults where no request could have one', async () => {
    const { ask } = start({ injectsFaults: false })
    await expectProblem(await ask('GET', '/admin/faults'), 404, 'not-found')
    expect((await ask('POST', '/ready/disable')).status).toBe(200)
  })
})
