import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { parseExposition } from '../../load/exposition.ts'
import { countWithScrapes } from '../../load/metrics-scrape.ts'
import { countWithPrometheus, exactIncrease } from '../../load/prometheus.ts'

setDefaultTimeout(60_000) // generous: other tests may occupy the machine for seconds
const servers: Bun.Server<undefined>[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)))
})

function serve(fetch: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
  servers.push(server)
  return `http://127.0.0.1:${server.port}`
}

const series = (...samples: [number, number][]) => ({ labels: {}, samples })

describe('exactIncrease', () => {
  test('counts from the last value at or before the start to the last value', () => {
    expect(exactIncrease(series([0, 5], [10, 7], [20, 9], [30, 12]), 15, undefined)).toBe(5)
    expect(exactIncrease(series([0, 5], [10, 7], [20, 9]), 10, undefined)).toBe(2)
  })

  test('a series that appears during the run starts at 0', () => {
    expect(exactIncrease(series([20, 9], [30, 12]), 15, undefined)).toBe(12)
  })

  test('a stopped instance keeps its count', () => {
    expect(exactIncrease(series([0, 100], [20, 150]), 15, undefined)).toBe(50)
  })

  test('is 0 for an instance that was idle or stopped before the run', () => {
    expect(exactIncrease(series([0, 5], [20, 5]), 15, undefined)).toBe(0)
    expect(exactIncrease(series([0, 5], [10, 9]), 15, undefined)).toBe(0)
  })

  test('a counter that decreases has restarted from 0', () => {
    expect(exactIncrease(series([10, 100], [20, 150], [30, 20], [40, 25]), 15, undefined)).toBe(75)
  })

  test('the process start time reveals a restart that the values hide', () => {
    const counter = series([10, 8], [20, 9])
    expect(exactIncrease(counter, 15, series([10, 1_000], [20, 1_000]))).toBe(1)
    expect(exactIncrease(counter, 15, series([10, 1_000], [20, 2_000]))).toBe(9)
  })

  test('a missing start time is not a restart', () => {
    expect(exactIncrease(series([10, 8], [20, 9]), 15, series([20, 2_000]))).toBe(1)
  })
})

describe('countWithPrometheus', () => {
  const options = { payloadUrl: 'http://a/payload', metricsPrefix: 'api_', scrapeWaitMs: 20_000 }

  /** A Prometheus whose clock advances one second with each query, and that scrapes each second. */
  function fakePrometheus(answers: { counters: object[]; sums: object[]; starts: object[] }) {
    const queries: string[] = []
    let clock = 100
    const url = serve(async (request) => {
      const query = new URLSearchParams(await request.text()).get('query') ?? ''
      queries.push(query)
      clock++
      const result = (() => {
        if (query === 'time()') return [clock, String(clock)]
        if (query === 'timestamp(up)') return [{ metric: {}, value: [clock, String(clock)] }]
        if (query.startsWith('api_http_requests_total')) return answers.counters
        if (query.startsWith('api_http_request_duration_seconds_sum')) return answers.sums
        return answers.starts
      })()
      return Response.json({ status: 'success', data: { result } })
    })
    return { url, queries }
  }

  test('sums the raw samples and errors of every pod, including a stopped one', async () => {
    const { url, queries } = fakePrometheus({
      counters: [
        {
          metric: { pod: 'a', instance: 'h:1', status: '200' },
          values: [
            [90, '10'],
            [200, '110'],
          ],
        },
        { metric: { pod: 'a', instance: 'h:1', status: '503' }, values: [[200, '5']] },
        {
          metric: { pod: 'dead', instance: 'h:2', status: '200' },
          values: [
            [90, '0'],
            [150, '40'],
          ],
        },
        {
          metric: { pod: 'idle', instance: 'h:3', status: '200' },
          values: [
            [90, '7'],
            [200, '7'],
          ],
        },
      ],
      sums: [
        {
          metric: { pod: 'a', instance: 'h:1' },
          values: [
            [90, '1'],
            [200, '3.1'],
          ],
        },
      ],
      starts: [],
    })
    const counting = await countWithPrometheus({ ...options, prometheusUrl: url })
    const counts = await counting.end([])
    if (counts.source === null) throw new Error(counts.why)
    expect([...counts.pods]).toEqual([
      ['a', { requests: 105, errors: 5, avgSeconds: expect.closeTo(2.1 / 105, 12) }],
      ['dead', { requests: 40, errors: 0, avgSeconds: 0 }],
    ])
    expect(queries.join('\n')).toContain('api_http_requests_total{route=~"/payload|/v1/payload"}[')
    expect(queries.join('\n')).not.toContain('increase(')
  })

  test('returns a reason, without an error, if Prometheus does not respond', async () => {
    const counting = await countWithPrometheus({ ...options, prometheusUrl: 'http://127.0.0.1:1' })
    const counts = await counting.end([])
    expect(counts).toEqual({
      source: null,
      why: expect.stringContaining('http://127.0.0.1:1 does not respond'),
    })
  })

  test('returns a reason if Prometheus has no samples of the service', async () => {
    const { url } = fakePrometheus({ counters: [], sums: [], starts: [] })
    const counting = await countWithPrometheus({ ...options, prometheusUrl: url })
    const counts = await counting.end([])
    expect(counts).toEqual({ source: null, why: expect.stringContaining('no api_http_requests_total') })
  })
})

describe('countWithScrapes', () => {
  /** An instance that serves 10 more payload requests from one scrape to the next. */
  function instance(name: string, start = () => 1_000) {
    let served = 0
    return serve(() => {
      served += 10
      return new Response(
        `# HELP api_http_requests_total x\napi_http_requests_total{method="POST",route="/payload",status="200"} ${served}\napi_http_requests_total{method="GET",route="/health",status="200"} ${served}\napi_http_request_duration_seconds_sum{route="/payload"} ${served / 100}\nprocess_start_time_seconds ${start()}\n`,
        { headers: { 'X-Served-By': name } },
      )
    })
  }
  const options = { payloadUrl: 'http://a/payload', metricsPrefix: 'api_', timeoutMs: 20_000 }

  test('counts the requests of each instance between the scrapes, by its name', async () => {
    const metricsUrls = [instance('a'), instance('b')]
    const counting = await countWithScrapes({ ...options, metricsUrls, guessed: false })
    const counts = await counting.end(['a', 'b'])
    if (counts.source === null) throw new Error(counts.why)
    expect([...counts.pods.keys()]).toEqual(['a', 'b'])
    expect(counts.pods.get('a')).toMatchObject({ requests: 10, errors: 0 })
  })

  test('returns a reason if the guessed URL is a balancer for several instances', async () => {
    const counting = await countWithScrapes({ ...options, metricsUrls: [instance('a')], guessed: true })
    expect(await counting.end(['a', 'b'])).toEqual({
      source: null,
      why: expect.stringContaining('one of the 2 instances behind the balancer'),
    })
  })

  test('returns a reason, not a wrong count, if an instance restarts', async () => {
    let start = 1_000
    const counting = await countWithScrapes({
      ...options,
      metricsUrls: [instance('a', () => start++)],
      guessed: true,
    })
    expect(await counting.end(['a'])).toEqual({ source: null, why: expect.stringContaining('was restarted') })
  })

  test('names the settings to change if there are no metrics', async () => {
    const counting = await countWithScrapes({
      ...options,
      metricsUrls: ['http://127.0.0.1:1/metrics'],
      guessed: true,
    })
    expect(await counting.end([])).toEqual({
      source: null,
      why: expect.stringContaining('set PROMETHEUS_URL'),
    })
  })
})

describe('parseExposition', () => {
  test('reads labels with escapes, values and lines without labels', () => {
    const text = '# TYPE a counter\na{b="x\\"y,}\\n",c="2"} 1.5e3\nd 4 1700000000000\ne{le="+Inf"} +Inf\n'
    expect(parseExposition(text)).toEqual([
      { name: 'a', labels: { b: 'x"y,}\n', c: '2' }, value: 1_500 },
      { name: 'd', labels: {}, value: 4 },
      { name: 'e', labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY },
    ])
  })

  test('rejects a page that is not an exposition', () => {
    expect(() => parseExposition('<html></html>')).toThrow('not Prometheus text')
  })
})
