import { describe, expect, test } from 'bun:test'
import { classify, isRefusedCode } from '../../load/classify.ts'

const seen = (errorCode: number, error = '') => ({ status: 0, errorCode, error, written: true })

describe('classify', () => {
  test('a 200 with the right JSON is answered', () => {
    const outcome = classify({ status: 200, errorCode: 0, error: '', written: true }, null)
    expect(outcome).toEqual({ class: 'answered', reason: '' })
  })

  test('a 200 with anything else is lost, and says why', () => {
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

  test('every other error code from 0 to 2000 is lost, known or not', () => {
    for (let code = 0; code <= 2_000; code++) {
      if (refused.includes(code) || (code >= 1300 && code <= 1399)) continue
      expect([code, classify(seen(code), null).class]).toEqual([code, 'lost'])
      expect(isRefusedCode(code)).toBe(false)
    }
  })

  test('whoever answered has read the request: a refused code beside a status is not refused', () => {
    expect(classify({ status: 503, errorCode: 1212, error: '', written: true }, null).class).toBe('lost')
    expect(classify({ status: 200, errorCode: 1212, error: '', written: true }, null).class).toBe('lost')
  })

  test('a time limit says whether the request was under way', () => {
    expect(classify({ ...seen(1050), written: true }, null).reason).toBe('no answer in time')
    expect(classify({ ...seen(1050), written: false }, null).reason).toBe('no connection in time')
  })

  test('the same unknown cause on another port is the same reason', () => {
    const reasons = ['127.0.0.1:40312', '127.0.0.1:40313', '[::1]:9'].map(
      (from) =>
        classify(seen(1000, `Post "http://127.0.0.1:8000/payload": read tcp ${from}: odd`), null).reason,
    )
    expect(new Set(reasons)).toEqual(new Set(['k6 error 1000: read tcp …: odd']))
  })
})
