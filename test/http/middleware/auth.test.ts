import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import { createApp } from '../../../src/http/app.ts'
import { hashKey, parseApiKeys } from '../../../src/http/middleware/api-keys.ts'
import { type AuthOptions, auth } from '../../../src/http/middleware/auth.ts'
import { createTokenVerifier, fetchRemoteKeys, type JwtOptions } from '../../../src/http/middleware/jwt.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { expectProblem } from '../../support/problems.ts'
import { until } from '../../support/until.ts'

/** A service that authenticates its clients, and its log. */
function serviceWith(options: AuthOptions) {
  const lines: string[] = []
  const app = createApp(appDeps({ applicationChecks: [auth(options)] }, lines))
  const body = JSON.stringify(examplePayload)
  return {
    app,
    lines,
    analyze: async (headers: Record<string, string> = {}): Promise<Response> =>
      await app.request('/payload', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      }),
  }
}

const bearer = (credentials: string) => ({ authorization: `Bearer ${credentials}` })

async function expectUnauthorized(response: Response, error?: string): Promise<void> {
  expect(response.headers.get('www-authenticate')).toBe(
    error === undefined ? 'Bearer realm="tally"' : `Bearer realm="tally", error="${error}"`,
  )
  await expectProblem(response, 401, 'unauthorized')
}

describe('an API key', () => {
  const secrets = { reporting: 'tally_one', billing: 'tally_two', replaced: 'tally_three' }
  const keys = parseApiKeys(
    `# remark\n${Object.entries(secrets)
      .map(([name, key]) => `${name}:${hashKey(key).toHex()}`)
      .join('\n')}\nreplaced:${hashKey('tally_four').toHex()} # the next one`,
  )
  const service = serviceWith({ keys: () => keys })

  for (const [name, key] of [...Object.entries(secrets), ['replaced', 'tally_four'] as const])
    test(`gives access as X-API-Key and as a bearer token: ${name}, ${key}`, async () => {
      expect((await service.analyze({ 'x-api-key': key })).status).toBe(200)
      expect((await service.analyze(bearer(key))).status).toBe(200)
      expect((await service.analyze({ authorization: `bearer ${key}` })).status).toBe(200)
    })

  test('is required: without one the response is a 401 with a challenge and no error', async () => {
    await expectUnauthorized(await service.analyze())
  })

  for (const key of [
    'tally_five',
    '',
    ' ',
    'TALLY_ONE',
    'tally_one ,',
    'reporting',
    hashKey('tally_one').toHex(),
  ])
    test(`that is unknown is refused with 401: ${JSON.stringify(key)}`, async () => {
      await expectUnauthorized(await service.analyze({ 'x-api-key': key }), 'invalid_token')
      await expectUnauthorized(await service.analyze(bearer(key || '-')), 'invalid_token')
    })

  for (const authorization of [
    'Basic dXNlcjpwYXNz',
    'tally_one',
    'Bearer',
    'Bearer tally_one, Bearer tally_two',
  ])
    test(`in malformed credentials is refused with 401: ${authorization}`, async () => {
      await expectUnauthorized(await service.analyze({ authorization }), 'invalid_token')
    })

  test('is not required by probes, metrics and pages', async () => {
    for (const path of ['/health', '/ready', '/metrics', '/version', '/openapi.json', '/docs', '/'])
      expect({ path, status: (await service.app.request(path)).status }).toEqual({ path, status: 200 })
  })

  test('is required on every path of an application route', async () => {
    for (const path of ['/data', '/v1/data', '/data/1', '/tasks', '/tasks/1/events', '/%64ata'])
      await expectUnauthorized(await service.app.request(path))
  })

  test('is logged by its name, never by its value', async () => {
    const { analyze, lines } = serviceWith({ keys: () => keys })
    await analyze({ 'x-api-key': 'tally_two' })
    await analyze({ 'x-api-key': 'tally_wrong' })
    const logged = await until(() => (lines.join('').split('\n').length > 2 ? lines.join('') : undefined))
    expect(JSON.parse(logged.split('\n')[0] ?? '')).toMatchObject({ status: 200, client: 'key:billing' })
    expect(JSON.parse(logged.split('\n')[1] ?? '')).toMatchObject({ status: 401 })
    expect(logged).not.toContain('tally_')
  })
})

describe('a list of API keys', () => {
  test('is rejected with the position of the invalid key, but without its text', () => {
    const good = `a:${hashKey('a').toHex()}`
    for (const wrong of ['tally_secret', 'b:tally_secret', `:${hashKey('b').toHex()}`, `${good}ff`, 'b c:1'])
      try {
        parseApiKeys(`${good},${wrong}`)
        throw new Error('was accepted')
      } catch (error) {
        expect(String(error)).toBe('Error: key 2 must be name:sha256, the hash as 64 hexadecimal digits')
      }
  })

  test('must not be empty: a hash of nothing would open the service to an empty header', () => {
    expect(() => parseApiKeys(`none:${hashKey('').toHex().toUpperCase()}`)).toThrow(
      'key 1 must not be the hash of an empty text',
    )
  })
})

const secret = 'a secret of thirty-two characters'
const sharedKey = new TextEncoder().encode(secret)
const seconds = () => Math.floor(Date.now() / 1_000)

/** A token with valid claims, except for the changes, signed with the shared secret. */
function sharedToken(changes: Record<string, unknown> = {}, algorithm = 'HS256'): Promise<string> {
  const claims = { sub: 'alice', iss: 'issuer', aud: 'tally', exp: seconds() + 60, ...changes }
  return new SignJWT(claims).setProtectedHeader({ alg: algorithm }).sign(sharedKey)
}

const sharedOptions: JwtOptions = {
  key: sharedKey,
  algorithms: ['HS256'],
  issuer: 'issuer',
  audience: 'tally',
  clockSkewSeconds: 5,
}
const withSecret = (changes: Partial<JwtOptions> = {}, scope?: string) =>
  serviceWith({ verifyToken: createTokenVerifier({ ...sharedOptions, ...changes }), scope })

describe('a token', () => {
  test('that is valid gives access, and its subject is logged', async () => {
    const { analyze, lines } = withSecret()
    const sub = 'alice "\n{"level":"error"}'
    const token = await sharedToken({ sub })
    expect((await analyze(bearer(token))).status).toBe(200)
    expect((await analyze(bearer(token))).status).toBe(200)
    const logged = await until(() => (lines.join('').split('\n').length > 2 ? lines.join('') : undefined))
    for (const line of logged.trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ client: `sub:${sub}` })
    expect(logged).not.toContain(token)
  })

  for (const [what, changes] of Object.entries({
    'has expired': { exp: seconds() - 60 },
    'never expires': { exp: undefined },
    'is not valid yet': { nbf: seconds() + 60 },
    'has another issuer': { iss: 'other' },
    'has no issuer': { iss: undefined },
    'is for another audience': { aud: 'other' },
    'is for other audiences': { aud: ['other', 'another'] },
    'has no subject': { sub: undefined },
    'has an empty subject': { sub: '' },
    'has a subject of 256 characters': { sub: 'x'.repeat(256) },
  }))
    test(`that ${what} is refused with 401`, async () => {
      const token = await sharedToken(changes)
      await expectUnauthorized(await withSecret().analyze(bearer(token)), 'invalid_token')
    })

  test('for several audiences is valid for each of them', async () => {
    const token = await sharedToken({ aud: ['other', 'tally'] })
    expect((await withSecret().analyze(bearer(token))).status).toBe(200)
  })

  test('may be off by the allowed clock skew, but not further', async () => {
    const { analyze } = withSecret()
    for (const [changes, status] of [
      [{ exp: seconds() - 2 }, 200],
      [{ nbf: seconds() + 2 }, 200],
      [{ exp: seconds() - 8 }, 401],
      [{ nbf: seconds() + 12 }, 401],
    ] as const)
      expect((await analyze(bearer(await sharedToken(changes)))).status).toBe(status)
  })

  test('that was verified before is rejected once it has expired', async () => {
    let time = Date.now()
    const { analyze } = withSecret({ now: () => time })
    const token = await sharedToken({ exp: seconds() + 30 })
    expect((await analyze(bearer(token))).status).toBe(200)
    time += 34_000
    expect((await analyze(bearer(token))).status).toBe(200)
    time += 3_000
    await expectUnauthorized(await analyze(bearer(token)), 'invalid_token')
  })

  test('without a signature (alg none), or with a forged one, is refused with 401', async () => {
    const { analyze } = withSecret()
    const claims = { sub: 'alice', iss: 'issuer', aud: 'tally', exp: seconds() + 60 }
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const [head, body, signature] = (await sharedToken()).split('.')
    for (const token of [
      `${part({ alg: 'none' })}.${part(claims)}.`,
      `${part({ alg: 'none' })}.${body}.${signature}`,
      `${part({ alg: 'NONE' })}.${body}.`,
      `${head}.${part({ ...claims, sub: 'mallory' })}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}.AAAA`,
      `${head}.${body}`,
      `eyJ.${body}.${signature}`,
      await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode('another secret, thirty-two long.')),
    ])
      await expectUnauthorized(await analyze(bearer(token)), 'invalid_token')
  })

  test('cannot choose its algorithm', async () => {
    const token = await sharedToken({}, 'HS512')
    await expectUnauthorized(await withSecret().analyze(bearer(token)), 'invalid_token')
    expect((await withSecret({ algorithms: ['HS512'] }).analyze(bearer(token))).status).toBe(200)
  })

  test('without the required scope is refused with 403, with it accepted', async () => {
    const { analyze } = withSecret({}, 'tally.use')
    const refused = await analyze(bearer(await sharedToken({ scope: 'tally other' })))
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="tally", error="insufficient_scope", scope="tally.use"',
    )
    await expectProblem(refused, 403, 'forbidden')
    expect((await analyze(bearer(await sharedToken({ scope: 'openid tally.use' })))).status).toBe(200)
  })

  test('is accepted beside X-API-Key where API keys are off', async () => {
    const headers = { ...bearer(await sharedToken()), 'x-api-key': 'tally_one' }
    expect((await withSecret().analyze(headers)).status).toBe(200)
    await expectUnauthorized(await withSecret().analyze({ 'x-api-key': 'tally_one' }))
  })

  test('and a key both give access to one service', async () => {
    const { analyze } = serviceWith({
      keys: () => parseApiKeys(`reporting:${hashKey('tally_one').toHex()}`),
      verifyToken: createTokenVerifier(sharedOptions),
    })
    const token = await sharedToken()
    expect((await analyze(bearer('tally_one'))).status).toBe(200)
    expect((await analyze(bearer(token))).status).toBe(200)
    await expectUnauthorized(await analyze({ 'x-api-key': token }), 'invalid_token')
    await expectUnauthorized(await analyze(bearer('tally_two')), 'invalid_token')
  })
})

describe('a token of an issuer with public keys', () => {
  let pair: { publicKey: CryptoKey; privateKey: CryptoKey }
  let published: JWK[]
  let fetched = 0
  let isDown = false
  let issuer: Bun.Server<undefined>

  beforeAll(async () => {
    pair = await generateKeyPair('RS256', { extractable: true })
    published = [{ ...(await exportJWK(pair.publicKey)), kid: 'first', use: 'sig' }]
    issuer = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch() {
        fetched++
        return isDown ? new Response('down', { status: 500 }) : Response.json({ keys: published })
      },
    })
  })
  afterAll(() => issuer.stop(true))

  const signed = (kid = 'first', key: CryptoKey = pair.privateKey) => signedBy(key, { kid })
  const signedBy = (key: CryptoKey, header: { kid?: string } = {}, exp = seconds() + 60) =>
    new SignJWT({ sub: 'alice', exp, jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'RS256', ...header })
      .sign(key)
  /** The keys that the issuer publishes, which change meanwhile. */
  const publishing = async (keys: JWK[], use: () => Promise<void>): Promise<void> => {
    const before = published
    published = keys
    try {
      await use()
    } finally {
      published = before
    }
  }

  /** A service that knows the issuer, and its failed fetches. */
  function createServiceOfIssuer(url: URL = issuer.url, now?: () => number) {
    const failures: unknown[] = []
    const keys = fetchRemoteKeys(url, (error) => failures.push(error), now)
    const verifyToken = createTokenVerifier({ key: keys.key, algorithms: ['RS256'], clockSkewSeconds: 5 })
    return { ...serviceWith({ verifyToken }), failures, [Symbol.dispose]: keys.close }
  }

  test('is accepted when one of them signed it, and the keys are fetched once for many requests', async () => {
    fetched = 0
    using service = createServiceOfIssuer()
    for (let i = 0; i < 20; i++) expect((await service.analyze(bearer(await signed()))).status).toBe(200)
    expect(fetched).toBe(1)
  })

  test('is accepted when any of several keys signed it, and it names none', async () => {
    const [one, two, three] = await Promise.all([
      generateKeyPair('RS256', { extractable: true }),
      generateKeyPair('RS256', { extractable: true }),
      generateKeyPair('RS256', { extractable: true }),
    ])
    const [jwkOne, jwkTwo] = [await exportJWK(one.publicKey), await exportJWK(two.publicKey)]
    for (const keys of [
      [jwkOne, jwkTwo],
      [
        { ...jwkOne, kid: 'a' },
        { ...jwkTwo, kid: 'b' },
      ],
      [{ ...jwkOne, kid: 'a' }, jwkTwo],
    ])
      await publishing(keys, async () => {
        using service = createServiceOfIssuer()
        const status = async (token: string) => (await service.analyze(bearer(token))).status
        for (const { privateKey } of [one, two]) expect(await status(await signedBy(privateKey))).toBe(200)
        expect(await status(await signedBy(three.privateKey))).toBe(401)
        const expired = await service.analyze(bearer(await signedBy(two.privateKey, {}, seconds() - 60)))
        expect((await expectProblem(expired, 401, 'unauthorized')).detail).toBe('The token has expired.')
      })
  })

  test('is accepted when a key without an id signed it, with any key id', async () => {
    const other = await generateKeyPair('RS256', { extractable: true })
    await publishing([await exportJWK(pair.publicKey), await exportJWK(other.publicKey)], async () => {
      using service = createServiceOfIssuer()
      for (const { privateKey } of [pair, other])
        expect((await service.analyze(bearer(await signed('unknown', privateKey)))).status).toBe(200)
      const { privateKey } = await generateKeyPair('RS256')
      expect((await service.analyze(bearer(await signed('unknown', privateKey)))).status).toBe(401)
    })
  })

  test('with an unknown key id costs no additional fetch, whether the issuer is up or down', async () => {
    const junk = async (service: ReturnType<typeof createServiceOfIssuer>, count: number) => {
      const statuses = new Set<number>()
      for (let i = 0; i < count; i++)
        statuses.add((await service.analyze(bearer(await signed(`junk-${i}`)))).status)
      return [...statuses]
    }
    fetched = 0
    {
      using service = createServiceOfIssuer()
      expect(await junk(service, 6)).toEqual([401])
      expect(fetched).toBe(1)
    }
    isDown = true
    fetched = 0
    try {
      let now = 0
      using service = createServiceOfIssuer(issuer.url, () => now)
      expect(await junk(service, 6)).toEqual([503])
      expect(fetched).toBe(1)
      now = 5_000
      expect(await junk(service, 6)).toEqual([503])
      expect(fetched).toBe(2)
      isDown = false
      now = 10_000
      expect((await service.analyze(bearer(await signed()))).status).toBe(200)
      expect(fetched).toBe(3)
    } finally {
      isDown = false
    }
  })

  test('is refused when another key signed it under the same key id', async () => {
    using service = createServiceOfIssuer()
    const { privateKey } = await generateKeyPair('RS256')
    await expectUnauthorized(
      await service.analyze(bearer(await signed('first', privateKey))),
      'invalid_token',
    )
  })

  test('is refused when a public key was used as a shared secret', async () => {
    using service = createServiceOfIssuer()
    const pem = await exportSPKI(pair.publicKey)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const key of [pem, pem.trim(), JSON.stringify(published[0]), published[0]?.n ?? '']) {
      const text = `${part({ alg: 'HS256', kid: 'first' })}.${part({ sub: 'mallory', exp: seconds() + 60 })}`
      const token = `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
      await expectUnauthorized(await service.analyze(bearer(token)), 'invalid_token')
    }
  })

  test('is refused when it brings its own key, or names its location', async () => {
    using service = createServiceOfIssuer()
    const own = await generateKeyPair('RS256', { extractable: true })
    let asked = 0
    await using elsewhere = Bun.serve({
      port: 0,
      fetch() {
        asked++
        return Response.json({ keys: [] })
      },
    })
    const jwk = await exportJWK(own.publicKey)
    for (const header of [{ jwk }, { jku: elsewhere.url.href }, { x5u: elsewhere.url.href, kid: 'first' }]) {
      const token = await new SignJWT({ sub: 'mallory', exp: seconds() + 60 })
        .setProtectedHeader({ alg: 'RS256', ...header })
        .sign(own.privateKey)
      await expectUnauthorized(await service.analyze(bearer(token)), 'invalid_token')
    }
    expect(asked).toBe(0)
  })

  test('is still verified with the known keys while the issuer is down', async () => {
    using service = createServiceOfIssuer()
    expect((await service.analyze(bearer(await signed()))).status).toBe(200)
    isDown = true
    try {
      expect((await service.analyze(bearer(await signed()))).status).toBe(200)
    } finally {
      isDown = false
    }
  })

  test('cannot be verified before any key was fetched: 503 instead of 401, and the failure is reported', async () => {
    isDown = true
    try {
      using service = createServiceOfIssuer()
      const response = await service.analyze(bearer(await signed()))
      expect(response.headers.get('retry-after')).toBe('5')
      await expectProblem(response, 503, 'auth-unavailable')
      expect(service.failures.length).toBeGreaterThan(0)
    } finally {
      isDown = false
    }
    using gone = createServiceOfIssuer(new URL('http://127.0.0.1:1/'))
    await expectProblem(await gone.analyze(bearer(await signed())), 503, 'auth-unavailable')
  })
})

describe('/metrics with a token', () => {
  const app = createApp(appDeps({ metricsToken: 'scrape-me-if-you-can' }))
  const scrape = async (headers: Record<string, string> = {}) => await app.request('/metrics', { headers })

  test('responds to its token', async () => {
    expect((await scrape(bearer('scrape-me-if-you-can'))).status).toBe(200)
  })

  test('may have characters that RFC 6750 does not allow', async () => {
    const token = 'with spaces, $igns and "quotes"'
    const spaced = createApp(appDeps({ metricsToken: token }))
    expect((await spaced.request('/metrics', { headers: bearer(token) })).status).toBe(200)
    await expectUnauthorized(await spaced.request('/metrics', { headers: bearer('with') }), 'invalid_token')
  })

  test('refuses every other request', async () => {
    await expectUnauthorized(await scrape())
    await expectUnauthorized(await scrape({ authorization: 'Basic dXNlcjpwYXNz' }), 'invalid_token')
    await expectUnauthorized(await scrape({ authorization: '' }), 'invalid_token')
    for (const wrong of ['scrape-me', 'SCRAPE-ME-IF-YOU-CAN', '-'])
      await expectUnauthorized(await scrape(bearer(wrong)), 'invalid_token')
  })

  test('does not affect the probes', async () => {
    for (const path of ['/health', '/ready', '/version']) expect((await app.request(path)).status).toBe(200)
  })
})
