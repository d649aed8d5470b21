import { describe, expect, test } from 'bun:test'
import { type AppDeps, createApp } from '../../../src/http/app.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { expectProblem, placesOf } from '../../support/problems.ts'

const json = { 'content-type': 'application/json' }

type Send = (body: unknown, path?: string) => Promise<Response>

// A body with a length is read whole and checked by the schema; one without is received in blocks and analyzed from its
// bytes. Both must lead to the same response.
describe.each([
  ['with a length', (body: string) => ({ ...json, 'content-length': String(Buffer.byteLength(body)) })],
  ['without a length', () => json],
] as const)('a body %s', (_, headersFor) => {
  const sendTo = async (app: Pick<typeof service, 'request'>, body: unknown, path: string) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return app.request(path, { method: 'POST', headers: headersFor(text), body: text })
  }
  const service = createApp(appDeps())
  const send: Send = (body, path = '/payload') => sendTo(service, body, path)

  /** Sends to a service with small limits, so that both sides of each bound can be tested. */
  function limited(changes: Partial<AppDeps['limits']>): Send {
    const deps = appDeps()
    const small = createApp({ ...deps, limits: { ...deps.limits, ...changes } })
    return (body) => sendTo(small, body, '/payload')
  }

  describe('the response', () => {
    for (const path of ['/payload', '/v1/payload']) {
      test(`${path} responds with the statistics`, async () => {
        const response = await send(examplePayload, path)
        expect(response.status).toBe(200)
        expect(response.headers.get('content-type')).toBe('application/json')
        const { processing_time_ms, ...analysis } = (await response.json()) as { processing_time_ms: number }
        expect(processing_time_ms).toBeGreaterThanOrEqual(0)
        expect(analysis as object).toEqual({
          numeric_analysis: {
            count: 5,
            minimum: 1,
            maximum: 5,
            mean: 3,
            median: 3,
            standard_deviation: 1.5811388300841898,
          },
          text_analysis: {
            word_count: 4,
            character_count: 24,
            character_count_no_spaces: 21,
            sentence_count: 1,
            paragraph_count: 1,
          },
        })
      })

      test(`${path}?format=compact responds with the short form and nothing else`, async () => {
        const response = await send(examplePayload, `${path}?format=compact`)
        expect(response.status).toBe(200)
        expect((await response.json()) as object).toEqual({
          numeric: { min: 1, max: 5, mean: 3, median: 3, stddev: 1.5811388300841898 },
          text: { word_count: 4, char_count: 24 },
        })
      })
    }

    test('format=full selects the full form', async () => {
      const body = (await (await send(examplePayload, '/payload?format=full')).json()) as object
      expect(Object.keys(body)).toEqual(['numeric_analysis', 'text_analysis', 'processing_time_ms'])
    })

    test('-0 is reported as 0', async () => {
      const body = await (await send('{"numbers":[-0],"text":"a"}')).text()
      expect(body).toContain('"minimum":0,"maximum":0,"mean":0,"median":0')
    })

    test('of a repeated key the last value counts', async () => {
      const body = await (await send('{"numbers":[9],"text":"x","numbers":[1,1],"text":"a b"}')).json()
      expect(body).toMatchObject({
        numeric_analysis: { count: 2, maximum: 1 },
        text_analysis: { word_count: 2 },
      })
    })

    test('numbers at the limits of a double are accepted', async () => {
      const body = await (await send('{"numbers":[1.7976931348623157e308,5e-324,1e-400],"text":"a"}')).json()
      expect(body).toMatchObject({ numeric_analysis: { count: 3, minimum: 0, maximum: Number.MAX_VALUE } })
    })

    for (const [name, text, characters] of [
      ['a lone surrogate, escaped, counts as one character', '\\ud800', 1],
      ['a NUL, escaped, counts as one character', 'a\\u0000b', 3],
      ['an emoji counts as one character', '😀', 1],
      ['an escaped pair counts as one character', '\\ud83d\\ude00', 1],
    ] as const) {
      test(name, async () => {
        const response = await send(`{"numbers":[1],"text":"${text}"}`)
        expect(response.status).toBe(200)
        expect(await response.json()).toMatchObject({ text_analysis: { character_count: characters } })
      })
    }
  })

  describe('limits', () => {
    test('MAX_NUMBERS numbers are accepted and one more is refused', async () => {
      const three = limited({ maxNumbers: 3 })
      expect((await three({ numbers: [1, 2, 3], text: 'a' })).status).toBe(200)
      const problem = await expectProblem(
        await three({ numbers: [1, 2, 3, 4], text: 'a' }),
        400,
        'invalid-input',
      )
      expect(problem.errors).toEqual([
        { pointer: '/numbers', detail: 'must contain at most 3 numbers, has 4', code: 'too-long' },
      ])
    })

    for (const [kind, character] of [
      ['ASCII', 'a'],
      ['two bytes in UTF-8', 'é'],
      ['outside the basic plane', '😀'],
    ] as const) {
      test(`MAX_TEXT_LENGTH code points (${kind}) are accepted and one more is refused`, async () => {
        const four = limited({ maxTextLength: 4 })
        expect((await four({ numbers: [1], text: character.repeat(4) })).status).toBe(200)
        const refused = await four({ numbers: [1], text: character.repeat(5) })
        const problem = await expectProblem(refused, 400, 'invalid-input')
        expect(problem.errors).toEqual([
          { pointer: '/text', detail: 'must contain at most 4 characters', code: 'too-long' },
        ])
      })
    }

    test('text is measured in code points, not in UTF-16 units', async () => {
      const four = limited({ maxTextLength: 4 })
      expect((await four({ numbers: [1], text: '😀a😀é' })).status).toBe(200)
      expect((await four({ numbers: [1], text: '😀a😀éx' })).status).toBe(400)
    })

    test('one number and one character are accepted', async () => {
      expect((await send({ numbers: [1], text: 'a' })).status).toBe(200)
    })

    test('a payload at the default limits is accepted', async () => {
      const response = await send(`{"numbers":[${'1,'.repeat(999_999)}1],"text":"${'a'.repeat(1_000_000)}"}`)
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({
        numeric_analysis: { count: 1_000_000, mean: 1 },
        text_analysis: { character_count: 1_000_000 },
      })
    })
  })

  describe('a refusal names the place', () => {
    const refusals: [name: string, body: string, places: string[]][] = [
      ['an empty object', '{}', ['/numbers missing', '/text missing']],
      ['numbers missing', '{"text":"a"}', ['/numbers missing']],
      ['text missing', '{"numbers":[1]}', ['/text missing']],
      ['null for both', '{"numbers":null,"text":null}', ['/numbers type', '/text type']],
      ['a string for numbers', '{"numbers":"1","text":"a"}', ['/numbers type']],
      ['an object like an array', '{"numbers":{"0":1,"length":1},"text":"a"}', ['/numbers type']],
      ['an empty array', '{"numbers":[],"text":"a"}', ['/numbers too-short']],
      ['an empty text', '{"numbers":[1],"text":""}', ['/text too-short']],
      ['a number for text', '{"numbers":[1],"text":1}', ['/text type']],
      ['an array for text', '{"numbers":[1],"text":["a"]}', ['/text type']],
      [
        'items that are not numbers',
        '{"numbers":["1",true,null,[],{},1],"text":"a"}',
        ['/numbers/0 type', '/numbers/1 type', '/numbers/2 type', '/numbers/3 type', '/numbers/4 type'],
      ],
      [
        'a literal beyond a double, by its index',
        '{"numbers":[1,2,1e400,3],"text":"a"}',
        ['/numbers/2 not-finite'],
      ],
      ['a negative one too', '{"numbers":[-1e400],"text":"a"}', ['/numbers/0 not-finite']],
      ['an unknown key, by its name', '{"numbers":[1],"text":"a","mode":1}', ['/mode unknown']],
      ['__proto__', '{"numbers":[1],"text":"a","__proto__":{"x":1}}', ['/__proto__ unknown']],
      ['constructor', '{"numbers":[1],"text":"a","constructor":{"prototype":{}}}', ['/constructor unknown']],
      [
        '__proto__ with the missing members',
        '{"__proto__":{"numbers":[1],"text":"a"}}',
        ['/numbers missing', '/text missing', '/__proto__ unknown'],
      ],
      [
        'a key that needs escaping in a pointer',
        '{"numbers":[1],"text":"a","a/b~c":1}',
        ['/a~1b~0c unknown'],
      ],
      ['an array for the body', '[1,2]', [' type']],
      ['a string for the body', '"numbers"', [' type']],
      ['null for the body', 'null', [' type']],
      ['a number for the body', '7', [' type']],
    ]
    for (const [name, body, places] of refusals) {
      test(name, async () => {
        const problem = await expectProblem(await send(body), 400, 'invalid-input')
        expect(placesOf(problem).toSorted()).toEqual(places.toSorted())
      })
    }

    test('the detail names the first place and the number of others', async () => {
      const problem = await expectProblem(await send('{}'), 400, 'invalid-input')
      expect(problem.detail).toBe('/numbers is required (and 1 more)')
    })

    test('a million invalid items are reported in 20 errors', async () => {
      const problem = await expectProblem(
        await send(`{"numbers":[${'null,'.repeat(999_999)}1],"text":"a"}`),
        400,
        'invalid-input',
      )
      expect(problem.errors).toHaveLength(20)
      expect(problem.errors?.at(-1)?.pointer).toBe('/numbers/19')
    })

    test('100,000 unknown keys are reported in 20 errors', async () => {
      const keys = Array.from({ length: 100_000 }, (_, i) => `"k${i}":0`).join(',')
      const problem = await expectProblem(
        await send(`{"numbers":[1],"text":"a",${keys}}`),
        400,
        'invalid-input',
      )
      expect(problem.errors).toHaveLength(20)
    })

    test('the name of an unknown key is cut to 100 characters and its value is not repeated', async () => {
      const body = { numbers: [1], text: 'a', ['k'.repeat(5_000)]: 'a secret value' }
      const problem = await expectProblem(await send(body), 400, 'invalid-input')
      expect(problem.errors?.[0]?.pointer).toBe(`/${'k'.repeat(100)}`)
      expect(JSON.stringify(problem)).not.toContain('a secret value')
    })

    test('keys of a payload do not change the prototype of objects', async () => {
      await send('{"numbers":[1],"text":"a","__proto__":{"polluted":true}}')
      await send('{"numbers":[1],"text":"a","constructor":{"prototype":{"polluted":true}}}')
      expect('polluted' in {}).toBe(false)
    })

    test('an unknown format is refused', async () => {
      for (const query of ['?format=xml', '?format=', '?format=Compact']) {
        const problem = await expectProblem(
          await send(examplePayload, `/payload${query}`),
          400,
          'invalid-query',
        )
        expect(placesOf(problem)).toEqual(['/format invalid-value'])
      }
    })
  })
})

describe('VALIDATION_STATUS=422', () => {
  const { request } = createApp(appDeps({ validationStatus: 422 }))
  const post = (body: string | Uint8Array, headers: Record<string, string> = json, path = '/payload') =>
    request(path, { method: 'POST', headers, body })

  test('is the status for invalid content of a body', async () => {
    await expectProblem(await post('{}'), 422, 'invalid-input')
    await expectProblem(await post('{'), 422, 'malformed-json')
    await expectProblem(await post(new Uint8Array([0xff])), 422, 'not-utf-8')
  })

  test('does not change other statuses', async () => {
    await expectProblem(await post('{}', json, '/payload?format=xml'), 400, 'invalid-query')
    await expectProblem(await post('{}', { 'content-type': 'text/plain' }), 415, 'unsupported-media-type')
    await expectProblem(await post('{}', { ...json, host: 'a b' }), 400, 'invalid-host')
  })
})
