import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noDrainWindow, runService, startService } from '../../support/service.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-schema-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function writeSchema(schema: unknown): Promise<string> {
  const path = join(directory, `${Bun.randomUUIDv7()}.json`)
  await Bun.write(path, JSON.stringify(schema))
  return path
}

const start = async (schema: unknown) =>
  startService({ env: { ...noDrainWindow, DATA_SCHEMA: await writeSchema(schema) } })

const post = (url: string, document: unknown): Promise<Response> =>
  fetch(`${url}/data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(document),
  })

test.each([
  [{ $async: true, type: 'object' }, 'must not be $async'],
  [{ $dynamicRef: '#x' }, 'must name the $dynamicAnchor'],
  [{ allOf: [{ $ref: '#' }] }, 'never ends'],
  [{ properties: { a: { pattern: '^(?=.*A).+$' } } }, 'cannot be matched in linear time'],
])(
  'DATA_SCHEMA %p is refused at the start',
  async (schema, reason) => {
    const { exitCode, output } = await runService({ env: { DATA_SCHEMA: await writeSchema(schema) } })
    expect(exitCode).toBe(1)
    expect(output).toContain(reason)
  },
  30_000,
)

test('the start fails on a missing DATA_SCHEMA and names it', async () => {
  const { exitCode, output } = await runService({ env: { DATA_SCHEMA: join(directory, 'none.json') } })
  expect(exitCode).toBe(1)
  expect(output).toContain('DATA_SCHEMA cannot be read')
}, 30_000)

test('prices with two decimals are multiples of 0.01', async () => {
  await using service = await start({ properties: { price: { type: 'number', multipleOf: 0.01 } } })
  for (const price of [19.99, 0.07, 1.1, 4.35, 1e21])
    expect([price, (await post(service.url, { price })).status]).toEqual([price, 201])
  expect((await post(service.url, { price: 19.995 })).status).toBe(400)
})

test('documents designed to slow a schema down get a prompt response', async () => {
  await using service = await start({
    properties: {
      text: { type: 'string', pattern: '^(a+)+$' },
      list: { type: 'array', uniqueItems: true },
    },
  })
  expect((await post(service.url, { text: `${'a'.repeat(500_000)}!` })).status).toBe(400)
  expect((await post(service.url, { list: Array.from({ length: 40_000 }, (_, i) => [i]) })).status).toBe(201)
}, 30_000)

test('a validation that takes exponential time ends with 503, and other requests are answered', async () => {
  const node = { $ref: '#/$defs/node' }
  await using service = await start({
    ...node,
    $defs: { node: { type: 'object', anyOf: [{ properties: { c: node } }, { properties: { c: node } }] } },
  })
  const nested = JSON.parse(`${'{"c":'.repeat(60)}1${'}'.repeat(60)}`)
  const refused = post(service.url, nested)
  for (let i = 0; i < 20; i++) expect((await fetch(`${service.url}/health`)).status).toBe(200)
  const response = await refused
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.json()).toMatchObject({ code: 'validation-timeout' })
  expect((await post(service.url, { c: { c: {} } })).status).toBe(201)
  const errors = service.log.lines.filter(({ level }) => level === 'error')
  expect(errors.map(({ msg, code }) => ({ msg, code }))).toEqual([
    { msg: 'request', code: 'validation-timeout' },
  ])
}, 30_000)
