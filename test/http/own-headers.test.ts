import { describe, expect, test } from 'bun:test'
import { OwnHeaders } from '../../src/http/own-headers.ts'

// The runtime must copy the headers of a response that is given as the settings of another.
describe('answers made from one prepared response', () => {
  const own = new OwnHeaders('instance-1')
  const answers = ['first', 'second'].map((id) => Response.json(id, own.json(id)))

  test('carry every header, and each its own request id', async () => {
    for (const [i, id] of ['first', 'second'].entries()) {
      const answer = answers[i] as Response
      expect(answer.status).toBe(200)
      expect(Object.fromEntries(answer.headers)).toEqual({
        'content-type': 'application/json',
        'x-request-id': id,
        'x-served-by': 'instance-1',
        'x-content-type-options': 'nosniff',
      })
      expect(await answer.json()).toBe(id)
    }
  })

  test('share nothing: a header set on one is on no other, neither made before nor after', () => {
    answers[0]?.headers.set('connection', 'close')
    expect(answers[1]?.headers.has('connection')).toBe(false)
    expect(Response.json('', own.json('third')).headers.has('connection')).toBe(false)
  })
})
