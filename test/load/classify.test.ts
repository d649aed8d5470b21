import { describe, expect, test } from 'bun:test'
import { classify, isRefusedCode } from '../../load/classify.ts'

const seen = (errorCode: number, error = '') => ({ status: 0, errorCode, error, written: true })

describe('classify', () => {
  test('a 200 with the correct JSON is answered', () => {
    const outcome = classify({ status: 200, errorCode: 0, error: '', written: true }, null)
    expect(outcome).toEqual({ class: 'answered', reason: '' })
  })

  test('a 200 with any other body is lost, with the reason', () => {
    const outcome = classify({ status: 200, errorCode: 0, error: '', written: true }, 'not JSON')
    expect(outcome).toEqual({ class: 'lost', reason: 'not JSON' })
  })

  test.each([201, 204, 301, 400, 404, 413, 429, 500, 502, 503, 504])('status %i is lost', (status) => {
    const errorCode = status >= 400 ? 1_000 + status : 0
    expect(classify({ status, errorCode, error: '', written: true }, null)).toEqual({
      class: 'lost',
      reason: `status ${status}`,
    })
  })

  const refused = [1010, 1020, 1100, 1101, 1110, 1111, 1210, 1211, 1212, 1213, 1300, 1301, 1310, 1311, 1399]

  test.each(refused)('error code %i is refused before sending', (code) => {
    expect(classify(seen(code), null).class).toBe('refused')
  })

  test('every other error code from 0 to 2000 is lost', () => {
    for (let code = 0; code <= 2_000; code++) {
      if (refused.includes(code) || (code >= 1300 && code <= 1399)) continue
      expect([code, classify(seen(code), null).class]).toEqual([code, 'lost'])
      expect(isRefusedCode(code)).toBe(false)
    }
  })

  test('a response with a refused code is lost, because the server has read the request', () => {
    expect(classify({ status: 503, errorCode: 1212, error: '', written: true }, null).class).toBe('lost')
    expect(classify({ status: 200, errorCode: 1212, error: '', written: true }, null).class).toBe('lost')
  })

  test('the reason of a timeout states whether the request was written', () => {
    expect(classify({ ...seen(1050), written: true }, null).reason).toBe('no response in time')
    expect(classify({ ...seen(1050), written: false }, null).reason).toBe('no connection in time')
  })

  test('one unknown cause on several ports is one reason', () => {
    const reasons = ['127.0.0.1:40312', '127.0.0.1:40313', '[::1]:9'].map(
      (from) =>
        classify(seen(1000, `Post "http://127.0.0.1:8000/payload": read tcp ${from}: odd`), null).reason,
    )
    expect(new Set(reasons)).toEqual(new Set(['k6 error 1000: read tcp …: odd']))
  })
})
