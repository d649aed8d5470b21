import { describe, expect, test } from 'bun:test'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { parseConfig } from '../../src/config.ts'
import { createApp } from '../../src/http/app.ts'
import { createLifecycle } from '../../src/lifecycle/index.ts'
import { openGates } from '../../src/server/access.ts'
import { appOptions } from '../support/app-options.ts'
import { memoryLog } from '../support/memory-log.ts'
import { examplePayload, post, request } from '../support/requests.ts'
import { until } from '../support/until.ts'

/** The service with the gates that an environment wants. */
async function serviceOf(env: Record<string, string>) {
  const parsed = parseConfig(env)
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  const lifecycle = createLifecycle()
  const memory = memoryLog()
  const options = appOptions()
  const { metrics } = options
  const gates = await openGates(lifecycle, parsed.config, {
    log: memory.log,
    metrics,
    peerOf: () => '192.0.2.1',
  })
  const app = createApp({ ...options, gates })
  return {
    messages: memory.messages,
    ask: async (headers: Record<string, string> = {}): Promise<number> =>
      (await app.fetch(post('/payload', examplePayload, headers))).status,
    scrape: async (headers: Record<string, string> = {}): Promise<number> =>
      (await app.fetch(request('/metrics', { headers }))).status,
    [Symbol.asyncDispose]: async () => void (await lifecycle.shutdown('test')),
  }
}

/** A key, and its entry in a list, from the script that makes both. */
async function makeKey(name: string): Promise<{ key: string; entry: string }> {
  const script = Bun.spawn([process.execPath, 'tools/api-key.ts', name], {
    cwd: new URL('../..', import.meta.url).pathname,
    stdout: 'pipe',
  })
  const [, key = '', entry = ''] = /^key +(\S+)\nentry +(\S+)\n$/.exec(await script.stdout.text()) ?? []
  return { key, entry }
}

test('without a word about access everything is open', async () => {
  await using service = await serviceOf({})
  expect(await service.ask()).toBe(200)
  expect(await service.scrape()).toBe(200)
})

test('METRICS_TOKEN closes /metrics and nothing else', async () => {
  await using service = await serviceOf({ METRICS_TOKEN: 'a token for the scraper' })
  expect(await service.scrape()).toBe(401)
  expect(await service.scrape({ authorization: 'Bearer a token for the scraper' })).toBe(200)
  expect(await service.ask()).toBe(200)
})

test('JWT_SECRET opens with tokens of that secret', async () => {
  await using service = await serviceOf({ JWT_SECRET: 'a secret of thirty-two characters', JWT_ISSUER: 'me' })
  const signed = (secret: string) =>
    new SignJWT({ sub: 'alice', iss: 'me' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1m')
      .sign(new TextEncoder().encode(secret))
  const tell = async (secret: string) => ({ authorization: `Bearer ${await signed(secret)}` })
  expect(await service.ask(await tell('a secret of thirty-two characters'))).toBe(200)
  expect(await service.ask(await tell('A secret of thirty-two characters'))).toBe(401)
  expect(await service.ask()).toBe(401)
})

describe('API keys', () => {
  test('of the script open what API_KEYS closes', async () => {
    const [one, two] = await Promise.all([makeKey('one'), makeKey('two')])
    await using service = await serviceOf({ API_KEYS: `${one.entry},${two.entry}` })
    expect(await service.ask()).toBe(401)
    for (const { key } of [one, two]) expect(await service.ask({ 'x-api-key': key })).toBe(200)
    expect(await service.ask({ 'x-api-key': (await makeKey('one')).key })).toBe(401)
  })

  test('of a mounted file change with it, as Kubernetes swaps its links, and a broken file changes nothing', async () => {
    const [first, second] = await Promise.all([makeKey('first'), makeKey('second')])
    const directory = await mkdtemp(join(tmpdir(), 'tally-keys-'))
    /** What a kubelet does: a directory for each version, and a link that is replaced as a whole. */
    const mount = async (version: string, text: string): Promise<void> => {
      await Bun.write(join(directory, version, 'keys'), text)
      await symlink(version, join(directory, 'next'))
      await rename(join(directory, 'next'), join(directory, 'data'))
    }
    try {
      await mount('v1', `${first.entry}\n`)
      await using service = await serviceOf({ API_KEYS_FILE: join(directory, 'data', 'keys') })
      const opens = ({ key }: { key: string }) => service.ask({ 'x-api-key': key })
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

  test('of a file that is not there stop the start', async () => {
    expect(serviceOf({ API_KEYS_FILE: '/nowhere/keys' })).rejects.toThrow(/ENOENT/)
  })
})
