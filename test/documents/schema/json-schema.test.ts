import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { compileDocumentSchema } from '../../../src/documents/schema/json-schema.ts'

setDefaultTimeout(30_000)

describe('a schema is refused at the start', () => {
  test.each([
    ['that is not an object', 'no', 'must be an object'],
    ['that is a list', [], 'must be an object'],
    ['with an unknown type', { type: 'nothing' }, 'schema is invalid'],
    ['with an unknown keyword', { unknownKeyword: 1 }, 'unknownKeyword'],
    ['with an unknown format', { format: 'color' }, 'unknown format'],
    ['that is asynchronous', { $async: true, type: 'object' }, 'must not be $async'],
    ['that is asynchronous within', { properties: { a: { $async: true } } }, 'must not be $async'],
    ['that never ends', { anyOf: [{ $ref: '#' }] }, 'never ends'],
    ['with a dynamic reference to nothing', { $dynamicRef: '#x' }, 'must name the $dynamicAnchor'],
    ['with a reference to nothing', { $ref: '#/$defs/none' }, "can't resolve reference"],
    ['with a pattern that looks ahead', { properties: { a: { pattern: '^(?=a)' } } }, 'in linear time'],
    ['with a name pattern that looks ahead', { patternProperties: { '(a)\\1': true } }, 'in linear time'],
    ['with an invalid pattern', { pattern: '(' }, 'Invalid regular expression'],
    ['with a multiple of nothing', { multipleOf: 0 }, 'schema is invalid'],
  ])('%s', async (_, schema, message) => {
    expect(compileDocumentSchema(schema)).rejects.toThrow(message)
  })
})

test.each([
  [{ properties: { a: { pattern: '^(a+)+$' } } }, { a: `${'a'.repeat(100_000)}!` }, '/a pattern'],
  [{ patternProperties: { '^(x+x+)+y$': false } }, { ['x'.repeat(100_000)]: 1 }, undefined],
  [
    { properties: { a: { uniqueItems: true } } },
    { a: Array.from({ length: 100_000 }, (_, i) => [i]) },
    undefined,
  ],
  [{ properties: { a: { uniqueItems: true } } }, { a: [[1], { b: 1 }, { b: 1 }] }, '/a uniqueItems'],
  [{ properties: { a: { uniqueItems: false } } }, { a: [1, 1] }, undefined],
  [{ properties: { price: { multipleOf: 0.01 } } }, { price: 19.99 }, undefined],
  [{ properties: { price: { multipleOf: 0.01 } } }, { price: 19.995 }, '/price multipleOf'],
  [{ properties: { a: { properties: { 'b/c': true }, required: ['b/c'] } } }, { a: {} }, '/a/b~1c required'],
  [
    { properties: { [`${'a'.repeat(99)}/`]: false } },
    { [`${'a'.repeat(99)}/`]: 1 },
    `/${'a'.repeat(99)} false schema`,
  ],
])('%#: validates in a moment, with the right result', async (schema, document, place) => {
  const { validate, linear } = await compileDocumentSchema(schema)
  const start = performance.now()
  const issues = validate(document).map(({ pointer, code }) => `${pointer} ${code}`)
  expect(issues).toEqual(place === undefined ? [] : [place])
  // A backtracking engine takes minutes.
  expect(performance.now() - start).toBeLessThan(5_000)
  expect(linear).toBe(true)
})

test('names the issues of all branches, but no more than 20', async () => {
  const { validate } = await compileDocumentSchema({
    anyOf: Array.from({ length: 50 }, (_, i) => ({ properties: { [`m${i}`]: true }, required: [`m${i}`] })),
  })
  expect(validate({})).toHaveLength(20)
})

test('a schema that applies to parts of the document again is not linear', async () => {
  const { linear, validate } = await compileDocumentSchema({
    type: 'object',
    $dynamicAnchor: 'node',
    properties: { children: { type: 'array', items: { $dynamicRef: '#node' } } },
    additionalProperties: false,
  })
  expect(linear).toBe(false)
  expect(validate({ children: [{}, { children: [] }] })).toEqual([])
  expect(validate({ children: [{ children: [{ x: 1 }] }] })).toMatchObject([
    { pointer: '/children/0/children/0/x', code: 'additionalProperties' },
  ])
})
