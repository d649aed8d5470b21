import { z } from 'zod'
import { problemOf } from '../../../../load/answer.ts'
import { makeCases } from '../../../../load/payloads.ts'
import { type Check, check } from './check.ts'

const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
const methods = ['get', 'post', 'put', 'delete', 'patch']

/** Not reachable through the balancer: it is for the platform, on a port that no Service names. */
const notPublic = ['GET /metrics']

/**
 * Sends a request to every endpoint through the load balancer. The list comes from the service's own OpenAPI document,
 * so an endpoint without a request here fails the test.
 */
export async function checkEndpoints(url: string): Promise<Check[]> {
  const checks: Check[] = []
  const asked = new Set(notPublic)

  /** Sends one operation, by its template; `path` if it has parameters. */
  const ask = async (
    operation: string,
    expected: number,
    {
      path,
      body,
      right = () => null,
    }: { path?: string; body?: string; right?: (text: string) => string | null } = {},
  ): Promise<{ response: Response; text: string }> => {
    const [method = 'GET', template = '/'] = operation.split(' ')
    asked.add(operation)
    const response = await fetch(url + (path ?? template), {
      method,
      ...(body !== undefined && { body }),
      headers: { connection: 'close', 'content-type': 'application/json' },
      signal: AbortSignal.timeout(15_000),
    })
    const text = await response.text()
    const problem = response.status === expected ? right(text) : `status ${response.status}`
    const name = path === undefined ? operation : `${operation} (${path.replace(/[0-9a-f-]{36}/, '…')})`
    checks.push(check(`${name} responds ${expected}`, problem === null, problem ?? 'as expected'))
    return { response, text }
  }
  const includes = (part: string) => (text: string) => (text.includes(part) ? null : `without ${part}`)

  const [payload] = makeCases(1, 'small')
  if (payload === undefined) throw new Error('no payload')
  const exact = (text: string): string | null => problemOf(text, payload.expected)
  await ask('POST /payload', 200, { body: payload.body, right: exact })
  await ask('POST /payload', 200, { path: '/v1/payload', body: payload.body, right: exact })
  await ask('POST /payload', 200, {
    path: '/payload?format=compact',
    body: payload.body,
    right: includes('"stddev"'),
  })
  await ask('POST /payload', 400, { body: '{"numbers":[', right: includes('"code"') })
  await ask('GET /payload', 405)
  await ask('GET /no-such-path', 404, { right: includes('"code"') })

  const created = await ask('POST /data', 201, { body: '{"name":"cluster"}', right: includes('"created"') })
  const document = created.response.headers.get('location') ?? '/data/none'
  await ask('GET /data/{id}', 200, { path: document, right: includes('"cluster"') })
  await ask('PUT /data/{id}', 200, { path: document, body: '{"name":"test"}' })
  await ask('GET /data', 200, { path: '/data?limit=10', right: includes('"test"') })
  await ask('DELETE /data/{id}', 204, { path: document })
  await ask('GET /data/{id}', 404, { path: document })

  const accepted = await ask('POST /tasks', 201, {
    body: '{"payload":"Sample text for analysis"}',
    right: includes('"pending"'),
  })
  const task = accepted.response.headers.get('location') ?? '/tasks/none'
  await ask('GET /tasks/{id}/events', 200, { path: `${task}/events`, right: includes('"completed"') })
  await ask('GET /tasks/{id}', 200, { path: task, right: includes('"word_count":4') })
  await ask('GET /tasks', 200, { path: '/tasks?limit=1', right: includes('"tasks"') })
  await ask('POST /tasks/{id}/retry', 409, { path: `${task}/retry` })

  await ask('GET /health', 200, { right: includes('"ok"') })
  await ask('GET /ready', 200, { right: includes('"ready"') })
  await ask('GET /version', 200, { right: includes('"version"') })
  await ask('GET /docs', 200, { right: includes('<html') })
  await ask('GET /', 200)

  const { text } = await ask('GET /openapi.json', 200)
  for (const operation of notPublic) {
    const [, path = ''] = operation.split(' ')
    const { status } = await fetch(url + path, { headers: { connection: 'close' } })
    checks.push(check(`${operation} is not reachable from outside`, status === 404, `status ${status}`))
  }
  const missing = operationsOf(text).filter((operation) => !asked.has(operation))
  checks.push(
    check(
      'every operation of /openapi.json was requested',
      missing.length === 0,
      missing.join(', ') || 'all',
    ),
  )
  return checks
}

/**
 * The operations of an OpenAPI document.
 *
 * @example operationsOf('{"paths":{"/data/{id}":{"get":{},"summary":"…"}}}') // ['GET /data/{id}']
 */
export function operationsOf(document: string): string[] {
  return Object.entries(documentSchema.parse(JSON.parse(document)).paths).flatMap(([path, members]) =>
    methods.filter((method) => method in members).map((method) => `${method.toUpperCase()} ${path}`),
  )
}

/**
 * The versions of the instances behind the balancer, requested over several connections.
 *
 * @param asks number of requests; a dozen reach each of a few instances
 */
export async function versionsOf(url: string, asks = 12): Promise<Set<string>> {
  return new Set(
    await Promise.all(
      Array.from({ length: asks }, async () => {
        const response = await fetch(`${url}/version`, { headers: { connection: 'close' } })
        return ((await response.json()) as { version: string }).version
      }),
    ),
  )
}
