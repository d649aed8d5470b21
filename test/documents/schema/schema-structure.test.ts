import { describe, expect, test } from 'bun:test'
import { checkStructure } from '../../../src/documents/schema/schema-structure.ts'

test.each([
  [{ $async: true }, '#'],
  [{ properties: { a: { type: 'string', $async: true } } }, '#/properties/a'],
  [{ $defs: { a: { items: { $async: true } } } }, '#/$defs/a/items'],
])('an asynchronous schema is refused, wherever it is', (schema, place) => {
  expect(() => checkStructure(schema)).toThrow(`the schema at ${place} must not be $async`)
})

describe('a schema that never ends is refused:', () => {
  test.each([
    ['a reference to itself', { $ref: '#' }, '#'],
    ['a reference to itself by one of several', { allOf: [{ type: 'object' }, { $ref: '#' }] }, '#'],
    ['in one branch of a condition', { if: { type: 'object' }, else: { $ref: '#' } }, '#'],
    ['in what depends on a member', { dependentSchemas: { a: { not: { $ref: '#' } } } }, '#'],
    [
      'two definitions that refer to each other',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { anyOf: [{ $ref: '#/$defs/a' }] } } },
      '#/$defs/a',
    ],
    [
      'for a part of the document',
      {
        properties: { a: { $ref: '#/$defs/a~1b' } },
        $defs: { 'a/b': { oneOf: [{ $ref: '#here' }], $anchor: 'here' } },
      },
      '#/$defs/a/b',
    ],
    [
      'by the address of a schema within it',
      { $id: 'https://a.example/root', $defs: { a: { $id: 'item', $ref: 'https://a.example/item' } } },
      '#/$defs/a',
    ],
    ['a dynamic reference to itself', { $dynamicAnchor: 'x', $dynamicRef: '#x' }, '#'],
  ])('%s', (_, schema, place) => {
    expect(() => checkStructure(schema)).toThrow(
      `the schema at ${place} refers to itself for the same value, which never ends`,
    )
  })
})

test.each([
  ['none at all', { $dynamicRef: '#x' }],
  ['one of a definition', { $dynamicRef: '#x', $defs: { x: { $dynamicAnchor: 'x' } } }],
  ['another one', { $dynamicAnchor: 'y', items: { $dynamicRef: '#x' } }],
])('a $dynamicRef without an anchor at the root is refused: %s', (_, schema) => {
  expect(() => checkStructure(schema)).toThrow(/^the \$dynamicRef at #.* must name the \$dynamicAnchor/)
})

test.each([
  ['a tree', { properties: { children: { items: { $ref: '#' } } } }, true],
  ['a tree by its anchor', { $dynamicAnchor: 'node', properties: { next: { $dynamicRef: '#node' } } }, true],
  [
    'definitions that refer to each other for parts',
    {
      items: { $ref: '#/$defs/a' },
      $defs: { a: { items: { $ref: '#/$defs/b' } }, b: { prefixItems: [{ $ref: '#/$defs/a' }] } },
    },
    true,
  ],
  [
    'the schema of schemas',
    { properties: { s: { $ref: 'https://json-schema.org/draft/2020-12/schema' } } },
    true,
  ],
  [
    'one definition that many use',
    {
      properties: { a: { $ref: '#/$defs/x' }, b: { $ref: '#/$defs/x' } },
      $defs: { x: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
    },
    false,
  ],
  [
    'a member that is called like a keyword',
    { properties: { $ref: { type: 'string' }, $async: true } },
    false,
  ],
  ['no references', { type: 'object', additionalProperties: { type: 'number' } }, false],
])('%s is accepted, recursive or not', (_, schema, recursive) => {
  expect(checkStructure(schema)).toEqual({ recursive })
})
