import { describe, expect, test } from 'bun:test'
import { CommonHeaders } from '../../../src/http/headers/common-headers.ts'

// The runtime must copy the headers of a response that is the settings of another one.
describe('responses made from one prepared response', () => {
  const headers = new CommonHeaders('instance-1')
  const responses = ['first', 'second'].map((id) => Response.json(id, headers.forJson(id)))

  test('have every common header, and each has its own request id', async () => {
    for (const [i, id] of ['first', 'second'].entries()) {
      const response = responses[i] as Response
      expect(response.status).toBe(200)
      expect(Object.fromEntries(response.headers)).toEqual({
        'content-type': 'application/json',
        'x-request-id': id,
        'x-served-by': 'instance-1',
        'x-content-type-options': 'nosniff',
      })
      expect(await response.json()).toBe(id)
    }
  })

  test('do not share a header that is added to one of them', () => {
    responses[0]?.headers.set('connection', 'close')
    expect(responses[1]?.headers.has('connection')).toBe(false)
    expect(Response.json('third', headers.forJson('third')).headers.has('connection')).toBe(false)
  })
})
