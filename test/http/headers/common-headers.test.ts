import { describe, expect, test } from 'bun:test'
import { CommonHeaders } from '../../../src/http/headers/common-headers.ts'

const headers = new CommonHeaders('instance-1')
const create = (requestId: string, status = 200, more?: Record<string, string>): Response =>
  Response.json(requestId, headers.settings(requestId, status, 'application/json', more))

const expected = (requestId: string) => ({
  'content-type': 'application/json',
  'x-request-id': requestId,
  'x-served-by': 'instance-1',
  'x-content-type-options': 'nosniff',
})

// The runtime must copy the headers of a response that serves as the init of another one.
describe('responses made from one prepared response', () => {
  test('have every common header, and each has its own request id', async () => {
    const responses = [create('first'), create('second')]
    for (const [i, id] of ['first', 'second'].entries()) {
      const response = responses[i] as Response
      expect(response.status).toBe(200)
      expect(Object.fromEntries(response.headers)).toEqual(expected(id))
      expect(await response.json()).toBe(id)
    }
  })

  test('do not share a header that is added to one of them', () => {
    const [first, second] = [create('first'), create('second')]
    first.headers.set('connection', 'close')
    expect(second.headers.has('connection')).toBe(false)
    expect(create('third').headers.has('connection')).toBe(false)
  })

  test('have their own values of further headers', () => {
    const [first, second] = [create('first', 201, { etag: '"1"' }), create('second', 201, { etag: '"2"' })]
    expect(Object.fromEntries(first.headers)).toEqual({ ...expected('first'), etag: '"1"' })
    expect(Object.fromEntries(second.headers)).toEqual({ ...expected('second'), etag: '"2"' })
  })

  test('have no further headers or status of another one', () => {
    for (const more of [{ etag: '"1"' }, { etag: '"1"', link: '</>' }, { link: '</>' }, undefined])
      for (const status of [200, 201]) {
        const response = create('id', status, more)
        expect(response.status).toBe(status)
        expect(Object.fromEntries(response.headers)).toEqual({ ...expected('id'), ...more })
      }
  })

  test('may replace the content type, for one response only', () => {
    const replaced = create('first', 200, { 'content-type': 'text/plain' })
    expect(replaced.headers.get('content-type')).toBe('text/plain')
    expect(create('second').headers.get('content-type')).toBe('application/json')
  })
})

test('the common headers are set on a response that was built without them', () => {
  const response = Response.json('body', { headers: { etag: '"1"' } })
  headers.apply('late', response.headers)
  expect(response.headers.get('x-request-id')).toBe('late')
  expect(response.headers.get('x-served-by')).toBe('instance-1')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('etag')).toBe('"1"')
})
