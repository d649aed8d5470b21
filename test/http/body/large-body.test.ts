import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import type { AnalysisPool, BodyJob, BodyJobKind, BodyJobs } from '../../../src/analysis/pool/jobs.ts'
import { type AppDeps, createApp } from '../../../src/http/app.ts'
import { type RunOptions, ThreadPool } from '../../../src/threads/thread-pool.ts'
import { appDeps } from '../../support/app-deps.ts'
import { examplePayload } from '../../support/example-payload.ts'
import { HttpConnection, jsonHead, postJson } from '../../support/http-connection.ts'
import { listen } from '../../support/listening.ts'
import { expectProblem } from '../../support/problems.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

const json = { 'content-type': 'application/json' }
const mebibyte = 2 ** 20
const { limits } = appDeps()
const withLimits = (changes: Partial<AppDeps['limits']>) => ({ limits: { ...limits, ...changes } })

/** A body that the parser rejects with 400 after long work. */
const laborious = unknownKeys(150_000)

function unknownKeys(count: number): string {
  return `{${Array.from({ length: count }, (_, i) => `"unknown key ${i}":${i}`).join(',')}}`
}

/** A payload above the threshold. */
function largePayload(count: number): string {
  return JSON.stringify({
    numbers: Array.from({ length: count }, (_, i) => i + 1),
    text: 'Über sieben Brücken. '.repeat(1_000),
  })
}

describe('on both sides of the threshold', () => {
  const here = createApp(appDeps(withLimits({ largeBodyThreshold: Number.POSITIVE_INFINITY })))
  const there = createApp(appDeps(withLimits({ largeBodyThreshold: 0 })))

  async function sendToBoth(
    body: string | Uint8Array<ArrayBuffer>,
    path = '/payload',
  ): Promise<[unknown, unknown]> {
    const headers = { ...json, 'content-length': String(Buffer.byteLength(body)) }
    const responses = [here, there].map(async (app) => {
      const response = await app.request(path, { method: 'POST', headers, body })
      const { request_id, processing_time_ms, ...comparable } = (await response.json()) as Record<
        string,
        unknown
      >
      return { status: response.status, type: response.headers.get('content-type'), comparable }
    })
    return (await Promise.all(responses)) as [unknown, unknown]
  }

  const wrong = fc.oneof(fc.jsonValue(), fc.string())
  const payloads = fc.record(
    {
      numbers: fc.oneof(
        {
          weight: 3,
          arbitrary: fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        },
        { weight: 1, arbitrary: fc.array(fc.oneof(fc.double(), wrong)) },
        { weight: 1, arbitrary: wrong },
      ),
      text: fc.oneof({ weight: 3, arbitrary: fc.string({ unit: 'binary' }) }, wrong),
      other: wrong,
    },
    { requiredKeys: [] },
  )

  test('a payload gets the same summary, and an invalid one the same problem', async () => {
    const property = fc.asyncProperty(
      payloads,
      fc.constantFrom('', '?format=compact'),
      async (value, query) => {
        const [one, other] = await sendToBoth(JSON.stringify(value), `/payload${query}`)
        expect(other).toEqual(one)
      },
    )
    await fc.assert(property, { numRuns: 200 })
  })

  test('any bytes get the same response', async () => {
    const text = JSON.stringify(examplePayload)
    const bodies = fc.oneof(
      fc.uint8Array(),
      fc
        .constantFrom('1e999', '-1e999', '1e308', '-0', '01', 'NaN')
        .map((x) => Buffer.from(`{"numbers":[1,${x}],"text":"a"}`)),
      fc.nat(text.length).map((length) => Buffer.from(text.slice(0, length))),
      fc.nat(5_000).map((depth) => Buffer.from('['.repeat(depth))),
    )
    const property = fc.asyncProperty(bodies, async (bytes) => {
      const [one, other] = await sendToBoth(bytes)
      expect(other).toEqual(one)
    })
    await fc.assert(property, { numRuns: 200 })
  })
})

describe('a large body', () => {
  test('gets the same response with a length and in chunks', async () => {
    await using server = listen()
    const body = largePayload(200_000)
    const answer = {
      numeric_analysis: { count: 200_000, mean: 100_000.5 },
      text_analysis: { word_count: 3_000, sentence_count: 1_000 },
    }
    for (const sent of [body, new Response(body).body]) {
      const response = await fetch(`${server.url}/payload`, { method: 'POST', headers: json, body: sent })
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject(answer)
    }
  })

  test('with the wrong media type is refused', async () => {
    await using server = listen()
    const body = largePayload(100_000)
    const response = await fetch(`${server.url}/payload`, { method: 'POST', body })
    await expectProblem(response, 415, 'unsupported-media-type')
  })

  test('does not block other requests', async () => {
    await using server = listen()
    using large = await HttpConnection.open(server.port)
    using small = await HttpConnection.open(server.port)
    let isAnswered = false
    large.send(postJson('/payload', laborious))
    const answer = large.next().then((response) => {
      isAnswered = true
      return response
    })
    await until(() => server.app.requests.size === 1)
    let others = 0
    while (!isAnswered) {
      small.send(postJson('/payload', JSON.stringify(examplePayload)))
      expect((await small.next())?.status).toBe(200)
      others++
    }
    expect((await answer)?.status).toBe(400)
    expect(others).toBeGreaterThan(20)
  })

  test('that exceeds REQUEST_TIMEOUT gets 503, and its thread processes the next one', async () => {
    // Far less than the keys take, on any machine. Both servers share the thread.
    await using hurried = listen({ requestTimeoutMs: 50 })
    await using patient = listen()
    using connection = await HttpConnection.open(hurried.port)
    connection.send(postJson('/payload', unknownKeys(400_000)))
    const late = await connection.next()
    expect(late?.status).toBe(503)
    expect(JSON.parse(late?.body ?? '')).toMatchObject({ code: 'request-timeout' })
    using next = await HttpConnection.open(patient.port)
    next.send(postJson('/payload', largePayload(60_000)))
    expect((await next.next())?.status).toBe(200)
  })

  test('releases its bytes when its client disconnects halfway', async () => {
    await using server = listen(withLimits({ maxBodyBytes: mebibyte, maxBufferedBytes: mebibyte }))
    const body = largePayload(60_000)
    const leaving = await HttpConnection.open(server.port)
    leaving.send(jsonHead('/payload', body) + body.slice(0, 300_000))
    await until(() => server.app.requests.size === 1)
    leaving.close()
    await until(() => server.app.requests.size === 0)
    for (let i = 0; i < 3; i++) {
      const response = await server.app.request('/payload', { method: 'POST', headers: json, body })
      expect(response.status).toBe(200)
    }
  })
})

describe('when the byte budget is used up', () => {
  const small = withLimits({ maxBodyBytes: mebibyte, maxBufferedBytes: mebibyte })
  const body = largePayload(100_000)

  test('another large body is refused with 503 and Retry-After before it is sent, and a small one is accepted', async () => {
    await using server = listen(small)
    using slow = await HttpConnection.open(server.port)
    slow.send(jsonHead('/payload', body) + body.slice(0, 1_000))
    await until(() => server.app.requests.size === 1)

    using other = await HttpConnection.open(server.port)
    other.send(jsonHead('/payload', body))
    const refused = await other.next()
    expect(refused?.status).toBe(503)
    expect(refused?.headers.get('retry-after')).toBe('1')
    expect(JSON.parse(refused?.body ?? '')).toMatchObject({ code: 'overloaded' })
    // The connection stays usable: the rest of the body is dropped.
    other.send(body)
    other.send(postJson('/payload', JSON.stringify(examplePayload)))
    expect((await other.next())?.status).toBe(200)

    slow.send(body.slice(1_000))
    expect((await slow.next())?.status).toBe(200)
    other.send(postJson('/payload', body))
    expect((await other.next())?.status).toBe(200)
  })

  test('a body without a length is refused with 503 once it is too large', async () => {
    await using server = listen(small)
    using slow = await HttpConnection.open(server.port)
    slow.send(jsonHead('/payload', body) + body.slice(0, 1_000))
    await until(() => server.app.requests.size === 1)
    const chunked = { method: 'POST', headers: json }
    const large = await fetch(`${server.url}/payload`, { ...chunked, body: new Response(body).body })
    await expectProblem(large, 503, 'overloaded')
    const little = await fetch(`${server.url}/payload`, {
      ...chunked,
      body: new Response(JSON.stringify(examplePayload)).body,
    })
    expect(little.status).toBe(200)
  })
})

describe('a thread that exits', () => {
  const programs = ['./dying-thread.ts', '../../../src/server/analysis-worker.ts'].values()
  const pool = new ThreadPool<BodyJob>({
    start: () => {
      const program = new URL(programs.next().value ?? '', import.meta.url).href
      return new Worker(program, { argv: [JSON.stringify({ limits, debug: false })], ref: false })
    },
    maxThreads: 1,
    maxWaiting: 10,
    idleMs: 60_000,
  })
  const threads: Pick<AnalysisPool, 'run' | 'warmUp'> = {
    warmUp: () => pool.warmUp(),
    run: <K extends BodyJobKind>(job: BodyJob<K>, options: RunOptions) =>
      pool.run<BodyJobs[K]['result']>(job, options),
  }
  afterAll(() => pool.close())

  test('causes a logged 500 for its request, and the next request gets a new thread', async () => {
    const lines: string[] = []
    await using server = listen({ pool: threads }, lines)
    using connection = await HttpConnection.open(server.port)
    connection.send(postJson('/payload', largePayload(60_000)))
    const answer = await connection.next()
    expect(answer?.status).toBe(500)
    expect(answer?.headers.get('content-type')).toBe('application/problem+json')
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 'internal-error' })
    await until(() => lines.join('').includes('the thread of the job ended'))

    connection.send(postJson('/payload', largePayload(60_000)))
    expect((await connection.next())?.status).toBe(200)
  })
})
