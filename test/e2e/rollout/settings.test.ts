import { describe, expect, test } from 'bun:test'
import { parseServerStates } from './balancer.ts'
import { countPayloadRequests } from './instance.ts'
import { readRolloutSettings } from './settings.ts'

describe('settings of the rollout test', () => {
  test('default to all modes and both sizes; QUICK reduces them', () => {
    expect(readRolloutSettings({})).toMatchObject({
      program: 'complete',
      connections: ['reuse', 'no-reuse', 'mixed'],
      sizes: ['small', '1mb'],
      rolls: 2,
      kill: true,
    })
    expect(readRolloutSettings({ QUICK: '1' })).toMatchObject({
      connections: ['mixed'],
      rolls: 1,
      guarded: false,
      kill: true,
    })
    expect(readRolloutSettings({ GUARDED: '1' }).guarded).toBe(true)
  })

  test('rejects invalid settings by name', () => {
    expect(() => readRolloutSettings({ PROGRAM: 'toString' })).toThrow('PROGRAM')
    expect(() => readRolloutSettings({ CONNECTIONS: 'reuse,never' })).toThrow('CONNECTION')
    expect(() => readRolloutSettings({ SIZES: 'huge' })).toThrow('SIZE')
    expect(() => readRolloutSettings({ LOAD_SHARE: 'half' })).toThrow('LOAD_SHARE')
    expect(() => readRolloutSettings({ DURATION: 'long' })).toThrow('DURATION')
  })
})

test("the balancer's states are those of the API's slots, with the requests of both backends, in any column order", () => {
  const csv = [
    '# pxname,svname,status,qcur,scur,',
    'public,FRONTEND,OPEN,,3,',
    'api,api-1,UP,0,2,',
    'api,api-2,DOWN 1/2,0,0,',
    'api,BACKEND,UP,0,2,',
    'api-apart,api-1,no check,0,1,',
    'api-apart,api-2,no check,0,0,',
    'api-apart,BACKEND,UP,0,1,',
    '',
  ].join('\n')
  expect([...parseServerStates(csv)]).toEqual([
    ['api-1', { status: 'UP', inFlight: 3 }],
    ['api-2', { status: 'DOWN 1/2', inFlight: 0 }],
  ])
})

test('only payload requests of an access log count', () => {
  const line = (route: string): string =>
    `{"msg":"request","method":"POST","route":"${route}","status":200}\n`
  expect(
    countPayloadRequests(`{"msg":"listening"}\n${line('/payload')}${line('/ready')}${line('/payload')}`),
  ).toBe(2)
})
