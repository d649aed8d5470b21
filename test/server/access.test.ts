import { describe, expect, test } from 'bun:test'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { parseConfig } from '../../src/config.ts'
import { createApp } from '../../src/http/app.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import { noFaults } from '../../src/runtime-settings/settings.ts'
import { openChecks } from '../../src/server/access.ts'
import { managementDeps } from '../../src/server/admin-server.ts'
import { openManagementTokens } from '../../src/server/secrets.ts'
import { appDeps } from '../support/app-deps.ts'
import { runSuccessfully } from '../support/command.ts'
import { examplePayload } from '../support/example-payload.ts'
import { liveSettings } from '../support/live.ts'
import { memoryLog } from '../support/memory-log.ts'
import { until } from '../support/until.ts'

/** The service with the checks of an environment. */
async function createService(env: Record<string, string>) {
  const parsed = parseConfig({ FILE_WATCH_INTERVAL: '20ms', ...env })
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  const lifecycle = createLifecycle()
  const memory = memoryLog()
  const deps = appDeps()
  const runtimeSettings = liveSettings()
  const checks = await openChecks(lifecycle, parsed.config, {
    log: memory.log,
    metrics: deps.metrics,
    runtimeSettings,
    remoteAddress: () => '192.0.2.1',
  })
  const { CORS_ORIGIN: origins } = parsed.config
  const tokens = openManagementTokens(lifecycle, parsed.config, memory.log)
  const app = createApp({
    ...deps,
    ...managementDeps(parsed.config, 'server', tokens),
    ...checks,
    cors: origins === undefined ? undefined : { origins },
  })
  const send = (headers: Record<string, string> = {}, path = '/payload') =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(examplePayload),
    })
  return {
    messages: memory.messages,
    runtimeSettings,
    send,
    get: app.request,
    status: async (headers?: Record<string, string>): Promise<number> => (await send(headers)).status,
    scrape: async (headers: Record<string, string> = {}): Promise<number> =>
      (await app.request('/metrics', { headers })).status,
    [Symbol.asyncDispose]: async () => void (await lifecycle.shutdown('test')),
  }
}

/** A key and its entry in a list, both from tools/api-key.ts. */
async function makeKey(name: string): Promise<{ key: string; entry: string }> {
  const output = await runSuccessfully([process.execPath, 'tools/api-key.ts', name])
  const [, key = '', entry = ''] = /^key +(\S+)\nentry +(\S+)$/.exec(output) ?? []
  return { key, entry }
}

test('without access settings everything is open', async () => {
  await using service = await createService({})
  expect(await service.status()).toBe(200)
  expect(await service.scrape()).toBe(200)
})

test('METRICS_TOKEN protects /metrics and nothing else', async () => {
  await using service = await createService({ METRICS_TOKEN: 'a token for the scraper' })
  expect(await service.scrape()).toBe(401)
  expect(await service.scrape({ authorization: 'Bearer a token for the scraper' })).toBe(200)
  expect(await service.status()).toBe(200)
})

test('JWT_SECRET accepts tokens signed with it', async () => {
  await using service = await createService({
    JWT_SECRET: 'a secret of thirty-two characters',
    JWT_ISSUER: 'me',
  })
  const signed = (secret: string) =>
    new SignJWT({ sub: 'alice', iss: 'me' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1m')
      .sign(new TextEncoder().encode(secret))
  const headersFor = async (secret: string) => ({ authorization: `Bearer ${await signed(secret)}` })
  expect(await service.status(await headersFor('a secret of thirty-two characters'))).toBe(200)
  expect(await service.status(await headersFor('A secret of thirty-two characters'))).toBe(401)
  expect(await service.status()).toBe(401)
})

describe('API keys', () => {
  test('of tools/api-key.ts give access when API_KEYS lists them', async () => {
    const [one, two] = await Promise.all([makeKey('one'), makeKey('two')])
    await using service = await createService({ API_KEYS: `${one.entry},${two.entry}` })
    expect(await service.status()).toBe(401)
    for (const { key } of [one, two]) expect(await service.status({ 'x-api-key': key })).toBe(200)
    expect(await service.status({ 'x-api-key': (await makeKey('one')).key })).toBe(401)
  })

  test('of a mounted file follow the links that Kubernetes swaps, and an invalid file changes nothing', async () => {
    const [first, second] = await Promise.all([makeKey('first'), makeKey('second')])
    const directory = await mkdtemp(join(tmpdir(), 'tally-keys-'))
    /** Like a kubelet: a directory for each version, and a link that is replaced atomically. */
    const mount = async (version: string, text: string): Promise<void> => {
      await Bun.write(join(directory, version, 'keys'), text)
      await symlink(version, join(directory, 'next'))
      await rename(join(directory, 'next'), join(directory, 'data'))
    }
    try {
      await mount('v1', `${first.entry}\n`)
      await using service = await createService({ API_KEYS_FILE: join(directory, 'data', 'keys') })
      const opens = ({ key }: { key: string }) => service.status({ 'x-api-key': key })
      expect([await opens(first), await opens(second)]).toEqual([200, 401])
      await mount('v2', 'no keys at all')
      await until(async () => (await service.messages()).some(({ level }) => level === 'error'))
      expect([await opens(first), await opens(second)]).toEqual([200, 401])
      await mount('v3', `${second.entry}\n`)
      await until(async () => (await opens(second)) === 200)
      expect(await opens(first)).toBe(401)
      expect(JSON.stringify(await service.messages())).not.toContain('tally_')
    } finally {
      await rm(directory, { recursive: true })
    }
  }, 20_000)

  test('of a missing file prevent the start', async () => {
    await expect(createService({ API_KEYS_FILE: '/nowhere/keys' })).rejects.toThrow(/ENOENT/)
  })
})

test('RATE_LIMIT limits clients, by their address without credentials', async () => {
  await using service = await createService({ RATE_LIMIT: '2/10s' })
  expect([await service.status(), await service.status(), await service.status()]).toEqual([200, 200, 429])
})

describe('RATE_LIMIT limits', () => {
  const get = (service: Awaited<ReturnType<typeof createService>>, path: string, method = 'GET') =>
    Promise.resolve(service.get(path, { method })).then(({ status }) => status)

  test('guesses by address, but never the owner of a key there', async () => {
    const { key, entry } = await makeKey('one')
    await using service = await createService({ API_KEYS: entry, RATE_LIMIT: '3/1h' })
    const statuses = await Promise.all(
      Array.from({ length: 150 }, (_, i) => service.status({ 'x-api-key': `tally_guess-${i}` })),
    )
    expect(statuses).toEqual([...Array(3).fill(401), ...Array(147).fill(429)])
    expect(await service.status()).toBe(429)
    for (const expected of [200, 200, 200, 429])
      expect(await service.status({ 'x-api-key': key })).toBe(expected)
  })

  test('forged tokens by their address', async () => {
    await using service = await createService({
      JWT_SECRET: 'a secret of thirty-two characters',
      RATE_LIMIT: '1/1h',
    })
    const forged = { authorization: `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.` }
    expect([await service.status(forged), await service.status(forged)]).toEqual([401, 429])
  })

  test('HEAD with the quota of GET', async () => {
    await using service = await createService({ RATE_LIMIT: '2/1h' })
    expect([await get(service, '/data', 'HEAD'), await get(service, '/data')]).toEqual([503, 503])
    expect([await get(service, '/data', 'HEAD'), await get(service, '/data')]).toEqual([429, 429])
  })

  test('pages and preflights by address, apart from the requests of the application', async () => {
    await using service = await createService({ RATE_LIMIT: '2/1h', CORS_ORIGIN: 'https://app.example' })
    expect([await get(service, '/docs'), await get(service, '/payload', 'OPTIONS')]).toEqual([200, 204])
    for (const [path, method] of [
      ['/', 'GET'],
      ['/docs', 'HEAD'],
      ['/openapi.json', 'GET'],
      ['/payload', 'OPTIONS'],
    ] as const)
      expect(await get(service, path, method)).toBe(429)
    expect(await service.status()).toBe(200)
  })

  test('neither probes nor metrics', async () => {
    await using service = await createService({ RATE_LIMIT: '1/1h' })
    for (const path of ['/health', '/ready', '/version', '/metrics', '/health'])
      expect(await get(service, path)).toBe(200)
  })
})

test('checks run in order: authentication, then the rate limit, then faults', async () => {
  const { key, entry } = await makeKey('one')
  await using service = await createService({ API_KEYS: entry, RATE_LIMIT: '1/10s', METRICS_PORT: '9091' })
  await service.runtimeSettings.change({ faults: { ...noFaults, error_rate: 1 } }, 'test')
  // A failure counts for the address alone, and faults are injected only into accepted requests.
  expect([await service.status(), await service.status()]).toEqual([401, 429])
  expect(await service.status({ 'x-api-key': key })).toBe(503)
  expect(await service.status({ 'x-api-key': key })).toBe(429)
})

test('fault injection exists only where an operator can set faults', async () => {
  await using service = await createService({})
  await service.runtimeSettings.change({ faults: { ...noFaults, error_rate: 1 } }, 'test')
  expect(await service.status()).toBe(200)
})

test('HSTS is sent in production with TLS', async () => {
  const tls = { TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem' }
  for (const [env, expected] of [
    [{ ...tls, ENVIRONMENT: 'production' }, 'max-age=31536000'],
    [{ ...tls, ENVIRONMENT: 'development' }, null],
    [{ ENVIRONMENT: 'production' }, null],
  ] as const) {
    await using service = await createService(env)
    for (const response of [await service.send(), await service.get('/docs')])
      expect(response.headers.get('strict-transport-security')).toBe(expected)
  }
})
