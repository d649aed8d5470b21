import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cp, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { buildProductionBundle } from '../../../bench/production-bundle.ts'
import { startCollector } from '../../support/collector.ts'
import { runSuccessfully } from '../../support/command.ts'
import { root } from '../../support/root.ts'
import { runService, startService } from '../../support/service.ts'

// What the image runs, without an image: built by the Dockerfile's own step, in another place.

setDefaultTimeout(120_000)
/** A build compresses the console as far as possible, which takes long on a busy machine. */
const buildTimeoutMs = 240_000

const env = { NODE_ENV: 'production', DRAIN_QUIET: '0s' }
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-bundle-'))
  await buildProductionBundle(folder)
}, buildTimeoutMs)

afterAll(() => rm(folder, { recursive: true, force: true }))

function postJson(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

function postLarge(url: string): Promise<Response> {
  return postJson(`${url}/payload`, {
    numbers: Array.from({ length: 100_000 }, (_, i) => i + 0.5),
    text: 'a b',
  })
}

test('the bundled server has bytecode, responds, and processes a large body on a thread', async () => {
  expect((await Bun.file(`${folder}/main.js`).text()).startsWith('// @bun @bytecode')).toBe(true)
  expect(Bun.file(`${folder}/main.js.jsc`).size).toBeGreaterThan(100_000)
  await using service = await startService({ program: `${folder}/main.js`, env })
  const url = `http://127.0.0.1:${service.port}`
  expect((await fetch(`${url}/ready`)).status).toBe(200)
  expect(await (await postLarge(url)).json()).toMatchObject({
    numeric_analysis: { count: 100_000, mean: 50_000 },
  })
  for (const path of ['/openapi.json', '/docs/swagger-ui-bundle.js', '/metrics'])
    expect({ path, status: (await fetch(url + path)).status }).toEqual({ path, status: 200 })
  service.signal('SIGTERM')
  expect(await service.exited).toBe(0)
})

test('the console is built beside the server, and compressed', async () => {
  await using service = await startService({ program: `${folder}/main.js`, env })
  const page = await fetch(service.url, { headers: { accept: 'text/html' } })
  const names = [...(await page.text()).matchAll(/"console\/([^"]+)"/g)].map(([, name]) => name)
  expect(names.length).toBeGreaterThanOrEqual(3)
  for (const name of names)
    for (const coding of ['br', 'zstd']) {
      const response = await fetch(`${service.url}/console/${name}`, {
        headers: { 'accept-encoding': coding },
      })
      expect(response.headers.get('content-encoding')).toBe(coding)
      expect(await response.text()).toBe(await Bun.file(`${folder}/console/${name}`).text())
    }
})

// Without the sources, as in the image, there is no other.
test('the thread is the one built beside the server, not a source file', async () => {
  await rename(`${folder}/analysis-worker.js`, `${folder}/elsewhere.js`)
  try {
    await using service = await startService({ program: `${folder}/main.js`, env })
    expect((await postLarge(`http://127.0.0.1:${service.port}`)).status).toBe(500)
  } finally {
    await rename(`${folder}/elsewhere.js`, `${folder}/analysis-worker.js`)
  }
})

test('a thread of the bundle copies a long log to the database', async () => {
  const data = `${folder}/data`
  await using service = await startService({
    program: `${folder}/main.js`,
    env: { ...env, DATA_DIR: data },
  })
  for (let n = 0; n < 20; n++) {
    const { status } = await postJson(`${service.url}/data`, {
      id: `large-${n}`,
      text: 'x'.repeat(1_000_000),
    })
    expect(status).toBe(201)
  }
  expect(Bun.file(`${data}/tally.db-wal`).size).toBeLessThan(12_000_000)
  expect(Bun.file(`${data}/tally.db`).size).toBeGreaterThan(12_000_000)
})

test('the number scanner is a file of the bundle, and the server does not start without it', async () => {
  const [scanner = ''] = await Array.fromAsync(new Bun.Glob('number-scanner-*.wasm').scan(folder))
  await rename(`${folder}/${scanner}`, `${folder}/elsewhere.wasm`)
  try {
    for (const program of ['main.js', 'worker.js', 'analysis-worker.js']) {
      const { exitCode, output } = await runService({ program: `${folder}/${program}`, env })
      expect(output).toContain(scanner)
      expect(exitCode).toBe(1)
    }
  } finally {
    await rename(`${folder}/elsewhere.wasm`, `${folder}/${scanner}`)
  }
})

test('separate packages are found: the schema of documents, PostgreSQL, Redis', async () => {
  const schema = `${folder}/schema.json`
  await Bun.write(schema, '{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]}')
  // No server listens on either; an unreachable server does not prevent a start.
  for (const [name, value] of [
    ['DATA_SCHEMA', schema],
    ['DATABASE_URL', 'postgres://tally@127.0.0.1:1/none'],
    ['REDIS_URL', 'redis://127.0.0.1:1'],
  ] as const) {
    await using service = await startService({ program: `${folder}/main.js`, env: { ...env, [name]: value } })
    expect((await fetch(`http://127.0.0.1:${service.port}/health`)).status).toBe(200)
    if (name !== 'DATA_SCHEMA') continue
    // A thread checks a large document.
    for (const [document, status] of [
      [{ a: 1, text: 'x'.repeat(100_000) }, 201],
      [{ a: 'x'.repeat(100_000) }, 400],
    ] as const)
      expect((await postJson(`${service.url}/data`, document)).status).toBe(status)
  }
})

test('separate packages are found: tokens, tracing', async () => {
  await using collector = startCollector()
  const secret = 'a secret of the tests, and no other'
  await using service = await startService({
    program: `${folder}/main.js`,
    env: {
      ...env,
      JWT_SECRET: secret,
      TRACING_ENABLED: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
  })
  const ask = async (authorization: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${service.port}/data`, { headers: { authorization } })).status
  const token = new SignJWT({ sub: 'alice', exp: Date.now() / 1_000 + 60 }).setProtectedHeader({
    alg: 'HS256',
  })
  expect(await ask(`Bearer ${await token.sign(new TextEncoder().encode(secret))}`)).toBe(200)
  expect(await ask('Bearer of.bad.news')).toBe(401)
  service.signal('SIGTERM')
  expect(await service.exited).toBe(0)
  expect(collector.spans.map(({ name }) => name)).toContain('GET /data')
})

test('the bundle runs from any folder and knows its revision', async () => {
  const moved = `${folder}-moved`
  await rename(folder, moved)
  try {
    await using service = await startService({ program: `${moved}/main.js`, env })
    expect(await (await postLarge(service.url)).json()).toMatchObject({
      numeric_analysis: { count: 100_000 },
    })
    for (const path of ['/openapi.json', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui.css'])
      expect({ path, status: (await fetch(service.url + path)).status }).toEqual({ path, status: 200 })
    const { revision } = (await (await fetch(`${service.url}/version`)).json()) as { revision: string }
    expect(revision).toStartWith(await runSuccessfully(['git', 'rev-parse', 'HEAD']))
  } finally {
    await rename(moved, folder)
  }
})

test(
  'the bundle can be built without git from the files that the Dockerfile copies',
  async () => {
    const build = await mkdtemp(join(tmpdir(), 'tally-build-'))
    try {
      for (const name of ['package.json', 'tsconfig.json', 'bunfig.toml', 'tools/bundle.ts', 'src'])
        await cp(join(root, name), join(build, name), { recursive: true })
      await symlink(join(root, 'node_modules'), join(build, 'node_modules'))
      await runSuccessfully([process.execPath, 'tools/bundle.ts', `--outdir=${build}/out`], { cwd: build })
      await using service = await startService({ program: `${build}/out/main.js`, env })
      expect(await (await fetch(`${service.url}/version`)).json()).toMatchObject({ revision: 'unknown' })
    } finally {
      await rm(build, { recursive: true, force: true })
    }
  },
  buildTimeoutMs,
)

test('the bundled worker starts, and its check passes', async () => {
  await using service = await startService({
    program: `${folder}/worker.js`,
    env: { ...env, WORKER_PORT: '0' },
  })
  await runSuccessfully([process.execPath, `${folder}/healthcheck.js`, String(service.port)])
})

test('a stack trace in the log names the source', async () => {
  const { exitCode, output } = await runService({
    program: `${folder}/main.js`,
    env: { ...env, DATABASE_URL: 'sqlite:/dev/null/none.db' },
  })
  expect(output).toMatch(/openSqlite \([^)]*\/src\/database\/[\w/-]+\.ts:\d+:\d+\)/)
  expect(exitCode).toBe(1)
})
