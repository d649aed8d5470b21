import { expect, test } from 'bun:test'
import { operationsOf } from './endpoints.ts'

test('the operations of an OpenAPI document are its methods, not its other members', () => {
  const document = { paths: { '/data': { get: {}, post: {}, summary: '' }, '/data/{id}': { put: {} } } }
  expect(operationsOf(JSON.stringify(document))).toEqual(['GET /data', 'POST /data', 'PUT /data/{id}'])
})
