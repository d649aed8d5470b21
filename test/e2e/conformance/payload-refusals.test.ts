import { describe, expect, test } from 'bun:test'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { expectProblem, pointersOf } from './problems.ts'
import { ask, credentials, invalidStatus, maxCharacters, maxNumbers, settings, urlOf } from './service.ts'
import { testUnless } from './test-unless.ts'

const numbers = [1, 2, 3]
const text = 'some text'

describe('POST /payload rejects', () => {
  for (const [what, body] of [
    ['an empty body', ''],
    ['half a JSON text', '{"numbers": [1, 2'],
    ['a text that is not JSON', 'numbers=1&text=a'],
    ['something after the JSON text', '{"numbers": [1], "text": "a"} {}'],
    ['NaN, which is not JSON', '{"numbers": [NaN], "text": "a"}'],
    ['single quotes', "{'numbers': [1], 'text': 'a'}"],
    ['a comma at the end', '{"numbers": [1,], "text": "a"}'],
    ['arrays nested without end', `{"numbers": ${'['.repeat(20_000)}`],
  ] as const)
    test(`${what}, as malformed JSON`, async () => {
      expectProblem(await ask('POST', '/payload', { body }), invalidStatus, 'malformed-json')
    })

  test('bytes that are not UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from('{"numbers": [1], "text": "'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ])
    expectProblem(await ask('POST', '/payload', { body }), invalidStatus, 'not-utf-8')
  })

  for (const [what, json, pointers] of [
    ['an array', [1, 2], ['']],
    ['null', null, ['']],
    ['a string', 'text', ['']],
    ['a number', 7, ['']],
    ['a body without numbers', { text }, ['/numbers']],
    ['a body without text', { numbers }, ['/text']],
    ['a body without both', {}, ['/numbers', '/text']],
    ['an empty list of numbers', { numbers: [], text }, ['/numbers']],
    ['numbers that are not a list', { numbers: 5, text }, ['/numbers']],
    ['numbers in a string', { numbers: '1,2', text }, ['/numbers']],
    ['numbers that are null', { numbers: null, text }, ['/numbers']],
    ['a number in a string', { numbers: [1, '2'], text }, ['/numbers/1']],
    ['null among the numbers', { numbers: [null], text }, ['/numbers/0']],
    ['a boolean among the numbers', { numbers: [1, 2, true], text }, ['/numbers/2']],
    ['a list among the numbers', { numbers: [1, [2]], text }, ['/numbers/1']],
    ['an empty text', { numbers, text: '' }, ['/text']],
    ['a text that is a number', { numbers, text: 1 }, ['/text']],
    ['a text that is null', { numbers, text: null }, ['/text']],
    ['a text that is a list', { numbers, text: ['a'] }, ['/text']],
    ['an unknown member', { numbers, text, mode: 'fast' }, ['/mode']],
    ['several issues at once', { numbers: ['1'], text: 2, x: 1 }, ['/numbers/0', '/text', '/x']],
  ] as const)
    test(`${what}, and names ${pointers.map((pointer) => pointer || 'the body').join(', ')}`, async () => {
      const problem = expectProblem(await ask('POST', '/payload', { json }), invalidStatus, 'invalid-input')
      expect(pointersOf(problem).toSorted()).toEqual([...pointers].toSorted())
    })

  test('a number beyond the range of a double, and names its index', async () => {
    const body = '{"numbers": [1, 2, 1e400], "text": "a"}'
    const problem = expectProblem(await ask('POST', '/payload', { body }), invalidStatus, 'invalid-input')
    expect(pointersOf(problem)).toEqual(['/numbers/2'])
  })

  test('a hundred wrong numbers, and names at most 20', async () => {
    const json = { numbers: Array(100).fill('x'), text }
    const problem = expectProblem(await ask('POST', '/payload', { json }), invalidStatus, 'invalid-input')
    expect(pointersOf(problem)).toEqual(Array.from({ length: 20 }, (_, i) => `/numbers/${i}`))
  })

  test('an unknown format', async () => {
    const answer = await ask('POST', '/payload?format=xml', { json: { numbers, text } })
    expect(pointersOf(expectProblem(answer, 400, 'invalid-query'))).toEqual(['/format'])
  })

  for (const [what, headers] of [
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['XML', { 'content-type': 'application/xml' }],
    ['another charset than UTF-8', { 'content-type': 'application/json; charset=latin1' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ] as const)
    test(`${what} with 415`, async () => {
      const answer = await ask('POST', '/payload', { json: { numbers, text }, headers })
      expectProblem(answer, 415, 'unsupported-media-type')
    })

  test('a body without a type with 415', async () => {
    const answer = await ask('POST', '/payload', {
      body: new TextEncoder().encode('{"numbers":[1],"text":"a"}'),
      headers: { 'content-type': '' },
    })
    expectProblem(answer, 415, 'unsupported-media-type')
  })

  test('a body that announces a terabyte, with 413 before it is sent', async () => {
    const { status, type, body } = await announce(1e12)
    expect({ status, type, code: (JSON.parse(body) as { code: string }).code }).toEqual({
      status: 413,
      type: 'application/problem+json',
      code: 'body-too-large',
    })
  })
})

/** Sends the head of a request that announces this length, without a body. */
function announce(length: number): Promise<{ status: number; type: string; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; type: string; body: string }>()
  const url = urlOf('/payload')
  const send = url.startsWith('https') ? httpsRequest : httpRequest
  const request = send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': `${length}`, ...credentials() },
    rejectUnauthorized: !settings.insecure,
    signal: AbortSignal.timeout(15_000),
  })
  request.on('error', reject)
  request.on('response', (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (piece: string) => {
      body += piece
    })
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body })
      request.destroy()
    })
  })
  request.flushHeaders()
  return promise
}

describe('limits of a payload', () => {
  /** The suite sends at most a few MB at once. */
  const largest = 1_000_000
  const manyNumbers =
    maxNumbers > largest ? `the limit of ${maxNumbers} numbers is too large to test` : undefined
  const longText =
    maxCharacters > largest ? `the limit of ${maxCharacters} characters is too large to test` : undefined
  const list = (length: number): string => `{"text":"a","numbers":[${'1,'.repeat(length - 1)}1]}`

  testUnless(manyNumbers, 'the maximum of numbers is accepted', async () => {
    const answer = await ask('POST', '/payload', { body: list(maxNumbers) })
    expect(answer.status).toBe(200)
    expect(answer.json()).toMatchObject({ numeric_analysis: { count: maxNumbers, mean: 1 } })
  })

  testUnless(manyNumbers, 'one number more is rejected, and the issue names the numbers', async () => {
    const answer = await ask('POST', '/payload', { body: list(maxNumbers + 1) })
    expect(pointersOf(expectProblem(answer, invalidStatus, 'invalid-input'))).toEqual(['/numbers'])
  })

  testUnless(longText, 'the maximum of characters is accepted, counted as code points', async () => {
    const answer = await ask('POST', '/payload', { json: { numbers, text: '😀'.repeat(maxCharacters) } })
    expect(answer.status).toBe(200)
    expect(answer.json()).toMatchObject({ text_analysis: { character_count: maxCharacters } })
  })

  testUnless(longText, 'one character more is rejected, and the issue names the text', async () => {
    const answer = await ask('POST', '/payload', { json: { numbers, text: 'x'.repeat(maxCharacters + 1) } })
    expect(pointersOf(expectProblem(answer, invalidStatus, 'invalid-input'))).toEqual(['/text'])
  })
})
